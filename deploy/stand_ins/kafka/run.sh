# As the upstream image starts: its own program turns KAFKA_ variables into server.properties, then the folder is laid out once.
set -eu
libs='/opt/kafka/libs/*'
quick='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'
java $quick -cp "$libs" kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config
java $quick -cp "$libs" kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c /opt/kafka/config/server.properties
exec java $quick ${KAFKA_HEAP_OPTS:-} -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml -cp "$libs" kafka.Kafka /opt/kafka/config/server.properties
