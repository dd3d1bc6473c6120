"""Java classes that Avro's own compiler makes of our schemas compile, so that Java clients need write none by hand."""

import pytest
from contracts.topics import load_topics

from tests.clients.jvm import RECORDS, JavaFailed, compiled, generate, jars

pytestmark = pytest.mark.timeout(240)

PUBLIC = {str(topic.record) for topic in load_topics().values() if topic.public and topic.record}


@pytest.mark.usefixtures("java")
def test_classes_of_every_record_compile(tmp_path):
    schemas = sorted(RECORDS.glob("*.avsc"))
    assert {path.stem for path in schemas} >= PUBLIC
    classes = compiled([generate(schemas, tmp_path / "source")], jars("compiler"), tmp_path / "classes")
    made = {path.stem for path in classes.glob("behealthy/rxtract/*.class")}
    assert made >= {path.stem for path in schemas} | {"Origin", "Entity", "Assertion", "Prescription", "Relation"}


@pytest.mark.usefixtures("java")
def test_a_namespace_that_begins_with_a_name_of_avros_template_is_found(tmp_path):
    """`in` is a parameter's name in the classes that Avro makes, and a keyword of other languages."""
    schema = tmp_path / "EntitiesExtracted.avsc"
    schema.write_text((RECORDS / "EntitiesExtracted.avsc").read_text().replace('"behealthy.', '"in.behealthy.'))
    source = generate([schema], tmp_path / "source")
    with pytest.raises(JavaFailed, match="behealthy cannot be resolved"):
        compiled([source], jars("compiler"), tmp_path / "classes")
