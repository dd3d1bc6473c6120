{{- define "rxtract.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "rxtract.labels" -}}
{{ include "rxtract.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "rxtract.selector" -}}
app.kubernetes.io/name: rxtract
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Takes (list root "extractor"). */ -}}
{{- define "rxtract.image" -}}
{{- $root := index . 0 -}}
{{ printf "%s/%s:%s" $root.Values.image.repository (index . 1) (default $root.Chart.AppVersion $root.Values.image.tag) }}
{{- end -}}

{{- define "rxtract.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "rxtract.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "rxtract.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* How a scaled service comes down, said to the autoscaler and to KEDA, which makes one. Every pod that goes costs a rebalance. */ -}}
{{- define "rxtract.scaling" -}}
{{- $seconds := .Values.autoscaling.scaleDownSeconds -}}
scaleDown:
  stabilizationWindowSeconds: {{ $seconds }}
  policies: [{type: Pods, value: 1, periodSeconds: {{ $seconds }}}]
{{- end -}}

{{- /* Where Kafka and the registry are, and whom to trust: OpenSSL and the requests library read these two variables. They are of the whole
       process, so a Kafka client that is told no authority takes this one too: Kafka's must be named beside it. */ -}}
{{- define "rxtract.addresses" -}}
{{- if and .Values.tls.caSecret (hasSuffix "SSL" .Values.kafka.securityProtocol) (not .Values.kafka.caSecret) }}
{{- fail "kafka.caSecret is empty: with tls.caSecret name Kafka's authority too, else only that of tls.caSecret is trusted there (the same secret, if it signs for both)" }}
{{- end }}
- {name: RXTRACT_BOOTSTRAP_SERVERS, value: {{ required "kafka.bootstrapServers is empty: set it to Kafka's address" .Values.kafka.bootstrapServers | quote }}}
{{- if .Values.schemaRegistry.existingSecret }}
- {name: RXTRACT_SCHEMA_REGISTRY_URL, valueFrom: {secretKeyRef: {name: {{ .Values.schemaRegistry.existingSecret }}, key: url}}}
{{- else }}
- {name: RXTRACT_SCHEMA_REGISTRY_URL, value: {{ required "schemaRegistry.url is empty: set it or schemaRegistry.existingSecret" .Values.schemaRegistry.url | quote }}}
{{- end }}
- {name: RXTRACT_TOPIC_PREFIX, value: {{ .Values.kafka.topicPrefix | quote }}}
- {name: RXTRACT_GROUP_PREFIX, value: {{ .Values.kafka.groupPrefix | quote }}}
{{- if .Values.tls.caSecret }}
- {name: SSL_CERT_FILE, value: /etc/rxtract/ca/ca.crt}
- {name: REQUESTS_CA_BUNDLE, value: /etc/rxtract/ca/ca.crt}
{{- end }}
{{- end -}}

{{- /* Who a process is to Kafka, as YAML: its secret, its name (empty: a key of the secret says it) and the secret of its certificate.
       With strimzi.users a service is a user of its own, whose secret Strimzi makes under the user's name. Takes (list root "extractor"). */ -}}
{{- define "rxtract.kafkaUser" -}}
{{- $root := index . 0 -}}
{{- $kafka := $root.Values.kafka -}}
{{- $name := printf "%s-%s" (include "rxtract.fullname" $root) (index . 1) -}}
{{- if and $root.Values.strimzi.users (hasKey $root.Values.services (index . 1)) }}
secret: {{ $name }}
username: {{ $name }}
certificate: {{ eq $kafka.securityProtocol "SSL" | ternary $name "" | quote }}
{{- else }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
secret: {{ required "kafka.existingSecret is empty: name the secret with username and password" $kafka.existingSecret }}
{{- end }}
username: {{ $kafka.username | quote }}
certificate: {{ $kafka.certificateSecret | quote }}
{{- end }}
{{- end -}}

{{- /* How a process logs in to Kafka. Takes (list root "extractor"). */ -}}
{{- define "rxtract.kafkaLogin" -}}
{{- $kafka := (index . 0).Values.kafka -}}
{{- $user := include "rxtract.kafkaUser" . | fromYaml -}}
- {name: RXTRACT_SECURITY_PROTOCOL, value: {{ $kafka.securityProtocol }}}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
- {name: RXTRACT_SASL_MECHANISM, value: {{ required "kafka.saslMechanism is empty: set it, for example SCRAM-SHA-512" $kafka.saslMechanism | quote }}}
{{- if $user.username }}
- {name: RXTRACT_SASL_USERNAME, value: {{ $user.username | quote }}}
{{- else }}
- {name: RXTRACT_SASL_USERNAME, valueFrom: {secretKeyRef: {name: {{ $user.secret }}, key: username}}}
{{- end }}
- {name: RXTRACT_SASL_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $user.secret }}, key: password}}}
{{- end }}
{{- with $kafka.caSecret }}
- {name: RXTRACT_SSL_CA_LOCATION, value: /etc/rxtract/kafka-ca/ca.crt}
{{- end }}
{{- with $user.certificate }}
- {name: RXTRACT_SSL_CERTIFICATE_LOCATION, value: /etc/rxtract/kafka-certificate/user.crt}
- {name: RXTRACT_SSL_KEY_LOCATION, value: /etc/rxtract/kafka-certificate/user.key}
{{- end }}
{{- end -}}

{{- /* Takes the root. */ -}}
{{- define "rxtract.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: home, mountPath: /var/lib/rxtract}
{{- if .Values.tls.caSecret }}
- {name: ca, mountPath: /etc/rxtract/ca, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Takes the root. */ -}}
{{- define "rxtract.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 1Gi}}
{{- with .Values.tls.caSecret }}
- {name: ca, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end -}}

{{- /* Takes (list root "extractor"). */ -}}
{{- define "rxtract.kafkaMounts" -}}
{{ include "rxtract.mounts" (index . 0) }}
{{- if (index . 0).Values.kafka.caSecret }}
- {name: kafka-ca, mountPath: /etc/rxtract/kafka-ca, readOnly: true}
{{- end }}
{{- if (include "rxtract.kafkaUser" . | fromYaml).certificate }}
- {name: kafka-certificate, mountPath: /etc/rxtract/kafka-certificate, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Takes (list root "extractor"). */ -}}
{{- define "rxtract.kafkaVolumes" -}}
{{ include "rxtract.volumes" (index . 0) }}
{{- with (index . 0).Values.kafka.caSecret }}
- {name: kafka-ca, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- with (include "rxtract.kafkaUser" . | fromYaml).certificate }}
- {name: kafka-certificate, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end -}}

{{- /* Redis, MLflow and the ledger, for the services that use them. Takes (list root service). */ -}}
{{- define "rxtract.serverEnvironment" -}}
{{- $values := (index . 0).Values -}}
{{- $uses := (index . 1).uses -}}
{{- if has "redis" $uses }}
{{- if $values.redis.existingSecret }}
- {name: RXTRACT_REDIS_URL, valueFrom: {secretKeyRef: {name: {{ $values.redis.existingSecret }}, key: url}}}
{{- else }}
- {name: RXTRACT_REDIS_URL, value: {{ required "redis.url is empty: set it or redis.existingSecret" $values.redis.url | quote }}}
{{- end }}
{{- end }}
{{- if and (index . 1).asksLedger $values.services.ledger.enabled }}
- {name: RXTRACT_LEDGER_URL, value: "http://{{ include "rxtract.fullname" (index . 0) }}-ledger:{{ $values.healthPort }}"}
{{- end }}
{{- if has "mlflow" $uses }}
- {name: RXTRACT_MLFLOW_URL, value: {{ required "mlflow.url is empty: set it to MLflow's address" $values.mlflow.url | quote }}}
{{- if $values.mlflow.existingSecret }}
- {name: RXTRACT_MLFLOW_USERNAME, value: {{ required "mlflow.username is empty: set it beside mlflow.existingSecret" $values.mlflow.username | quote }}}
- {name: RXTRACT_MLFLOW_PASSWORD_FILE, value: /etc/rxtract/mlflow/password}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Refuses what would leave sealing pods waiting for ever: one line that says what to do. The secret itself is looked at where there is a
cluster to ask, which `helm template` has not; every namespace of one has the service account `default`. */ -}}
{{- define "rxtract.sealingChecked" -}}
{{- $sealing := .Values.sealing -}}
{{- $secret := $sealing.masterKey.secret -}}
{{- $key := $sealing.masterKey.key -}}
{{- $make := "rxtract keys init" -}}
{{- if and (not $sealing.existingClaim) (not $sealing.postgres.existingSecret) -}}
{{- fail "sealing.postgres.existingSecret and sealing.existingClaim are empty: name the secret with the URLs of the key store's database, or on one node the PersistentVolumeClaim that holds keys.db, or set sealing.enabled to false" -}}
{{- end -}}
{{- if and $sealing.existingClaim $sealing.postgres.existingSecret -}}
{{- fail "sealing.postgres.existingSecret and sealing.existingClaim are both set: keep one, there is one key store" -}}
{{- end -}}
{{- if or (not $secret) (not $key) -}}
{{- fail (printf "sealing.masterKey.%s is empty: name the secret, and its key, that hold the master key file of `%s`, or set sealing.enabled to false" (empty $secret | ternary "secret" "key") $make) -}}
{{- end -}}
{{- if and $sealing.postgres.existingSecret .Values.networkPolicy.enabled (not (index .Values.networkPolicy.egress "postgres")) -}}
{{- fail "sealing.postgres.existingSecret is set and networkPolicy.egress.postgres is not: open the server's port, for example --set 'networkPolicy.egress.postgres.ports={5432}'" -}}
{{- end -}}
{{- if lookup "v1" "ServiceAccount" .Release.Namespace "default" -}}
{{- $found := lookup "v1" "Secret" .Release.Namespace $secret -}}
{{- $content := dig "data" $key "" (default dict $found) | b64dec | trim -}}
{{- if not $content -}}
{{- fail (printf "sealing.masterKey: namespace %s has no secret %s with something in its key %s: put the master key file of `%s` there (kubectl --namespace %s create secret generic %s --from-file=%s=master.key), or set sealing.enabled to false" .Release.Namespace $secret $key $make .Release.Namespace $secret $key) -}}
{{- end -}}
{{- if not (regexMatch "^[0-9a-fA-F]{64}(\\s+[0-9a-fA-F]{64})*$" $content) -}}
{{- fail (printf "sealing.masterKey: the key %s of secret %s is no master key, 64 hexadecimal digits a line: put the file of `%s` there" $key $secret $make) -}}
{{- end -}}
{{- with $sealing.postgres.existingSecret -}}
{{- $urls := lookup "v1" "Secret" $.Release.Namespace . -}}
{{- range list "sealer" "reader" -}}
{{- if not (dig "data" . "" (default dict $urls)) -}}
{{- fail (printf "sealing.postgres: namespace %s has no secret %s with the key %s: put the database's URL for a user of the role rxtract_keys_%s there" $.Release.Namespace $sealing.postgres.existingSecret . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
