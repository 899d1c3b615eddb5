"""A patient and what was observed of them, written and read by fhirpy; each answer is read by the models of SMART's own client."""

import json
import os

from fhirclient.models import bundle, capabilitystatement, observation, patient
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

KEY = "https://hospital.example/numbers|F-77"


def connected(**headers):
    url, token = os.environ["ENAMEL_URL"] + "/fhir/r4", os.environ["ENAMEL_TOKEN"]
    return SyncFHIRClient(url, authorization="Bearer " + token, extra_headers=headers)


client = connected()
VITALS = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
PULSE = {"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}


def strict(model, resource):
    """As the model reads it, which refuses what R4 does not allow; read whole when it says the same again."""
    plain = json.loads(json.dumps(resource.serialize() if hasattr(resource, "serialize") else resource))
    assert model(plain).as_json() == plain, plain
    return plain


def refused(error, action):
    try:
        action()
    except error as refusal:
        return str(refusal)
    raise AssertionError(f"not refused with {error.__name__}")


capability = capabilitystatement.CapabilityStatement(client.execute("metadata", method="get"))
assert capability.fhirVersion == "4.0.1"

ada = client.resource(
    "Patient",
    identifier=[{"system": KEY.split("|")[0], "value": KEY.split("|")[1]}],
    name=[{"family": "Lovelace", "given": ["Ada", "Augusta"], "use": "official"}],
    gender="female",
    birthDate="1985-12-10",
    address=[{"line": ["12 St James's Square"], "city": "London", "country": "GB"}],
)
by_key = client.resources("Patient").search(identifier=KEY)
unless_known = connected(**{"If-None-Exist": f"identifier={KEY}"})
made, again = (unless_known.resource("Patient", **ada) for _ in range(2))
made.save(), again.save()
assert made.id == again.id
made = by_key.get()
strict(patient.Patient, made)

made["birthDate"] = "1985-12-11"
made.save()
assert client.reference("Patient", made.id).to_resource()["birthDate"] == "1985-12-11"
versions = client.execute(f"Patient/{made.id}/_history", method="get")
strict(bundle.Bundle, versions)
changed, new = by_key.update(client.resource("Patient", **{**made, "id": None, "maritalStatus": {"text": "married"}}))
assert (new, changed.id, changed["maritalStatus"]["text"]) == (False, made.id, "married")

for day in range(1, 13):
    pulse = client.resource(
        "Observation",
        status="final",
        category=[{"coding": [VITALS]}],
        code={"coding": [PULSE]},
        subject=made.to_reference(),
        effectiveDateTime=f"2026-03-{day:02}T09:30:00+01:00",
        valueQuantity={"value": 60 + day, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    )
    pulse.save()
    assert strict(observation.Observation, pulse)["valueQuantity"]["value"] == 60 + day

pulses = client.resources("Observation").search(patient=made.id, code="http://loinc.org|8867-4").sort("-date")
paged = pulses.limit(5).fetch_all()
order = [each["valueQuantity"]["value"] for each in paged]
assert order == list(range(72, 60, -1)), order
late = pulses.search(date__ge="2026-03-10", value_quantity="gt70").fetch()
assert len(late) == 2
assert pulses.count() == 12
assert [each.id for each in client.resources("Patient").has("Observation", "patient", code="8867-4").search(_id=made.id).fetch()] == [made.id]
whole = client.execute("Patient", method="get", params={"_id": made.id, "_revinclude": "Observation:patient"})
assert len(strict(bundle.Bundle, whole)["entry"]) == 13
lean = client.resources("Patient").search(name="lovelace").elements("birthDate").fetch()[0]
assert "address" not in lean and lean["birthDate"] == "1985-12-11"

paged[0].delete()
gone = refused(ResourceNotFound, lambda: client.reference("Observation", paged[0].id).to_resource())
wrong = refused(OperationOutcome, lambda: client.resource("Patient", gender="yes").save())
print(json.dumps({"patient": made.id, "left": pulses.count(), "gone": gone, "wrong": wrong, "versions": len(versions["entry"])}))
