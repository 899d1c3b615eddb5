// A visit as one transaction, read, searched, patched and taken back by fhir-kit-client.
import assert from "node:assert/strict";
import { Client } from "fhir-kit-client";

const client = new Client({ baseUrl: `${process.env.ENAMEL_URL}/fhir/r4`, bearerToken: process.env.ENAMEL_TOKEN });
const resourceType = "Observation";
const loinc = (code, display) => ({ coding: [{ system: "http://loinc.org", code, display }] });
const refusal = async (asked) => {
  const error = await asked.then(() => assert.fail("not refused"), (error) => error);
  return { status: error.response.status, code: error.response.data?.issue?.[0]?.code };
};

const capability = await client.capabilityStatement();
assert.equal(capability.fhirVersion, "4.0.1");

const PATIENT = "urn:uuid:6d1d4c5e-0c1f-4f0a-9d0e-6f3f8c1f0b01";
const post = (fullUrl, resource) => ({ fullUrl, resource, request: { method: "POST", url: resource.resourceType } });
const height = (number, value) => ({
  resourceType, status: "final", subject: { reference: PATIENT }, code: loinc("8302-2", "Body height"),
  category: [{ coding: [{ system: "http://terminology.hl7.org/CodeSystem/observation-category", code: "vital-signs" }] }],
  effectiveDateTime: `2026-02-${String(number).padStart(2, "0")}`,
  valueQuantity: { value, unit: "cm", system: "http://unitsofmeasure.org", code: "cm" },
});
const sent = [1, 2, 3, 4, 5, 6, 7].map((day) =>
  post(`urn:uuid:6d1d4c5e-0c1f-4f0a-9d0e-6f3f8c1f0c0${day}`, height(day, 150 + day)));
const answered = await client.transaction({
  body: {
    resourceType: "Bundle", type: "transaction",
    entry: [...sent, post(PATIENT, { resourceType: "Patient", name: [{ family: "Hopper", given: ["Grace"] }], gender: "female" })],
  },
});
assert.deepEqual(answered.entry.map((entry) => entry.response.status.slice(0, 3)), Array(8).fill("201"));
const [, patient] = answered.entry[7].response.location.match(/Patient\/([^/]+)/);

let page = await client.search({ resourceType, searchParams: { patient, _sort: "date", _count: 3, _include: "Observation:patient" } });
const heights = [];
for (; page; page = await client.nextPage({ bundle: page })) {
  heights.push(...page.entry.filter((entry) => entry.search.mode === "match").map((entry) => entry.resource));
}
assert.deepEqual(heights.map((each) => each.valueQuantity.value), [151, 152, 153, 154, 155, 156, 157]);
const hidden = await client.resourceSearch({ resourceType, searchParams: { patient }, options: { postSearch: true } });
assert.equal(hidden.entry.length, 7);
const chained = await client.search({ resourceType, searchParams: { "patient.name": "hopper", "value-quantity": "ge156|http://unitsofmeasure.org|cm" } });
assert.equal(chained.entry.length, 2);
const own = await client.compartmentSearch({ resourceType, compartment: { resourceType: "Patient", id: patient } });
assert.equal(own.entry.length, 7);

const one = heights[0];
const subject = await client.resolve({ reference: one.subject.reference, context: one });
assert.equal(subject.name[0].family, "Hopper");
const patched = await client.patch({
  resourceType, id: one.id, jsonPatch: [{ op: "replace", path: "/valueQuantity/value", value: 149.5 }],
});
assert.equal(patched.valueQuantity.value, 149.5);
const before = await client.vread({ resourceType, id: one.id, version: one.meta.versionId });
assert.equal(before.valueQuantity.value, 151);
const history = await client.history({ resourceType, id: one.id });
assert.deepEqual(history.entry.map((entry) => entry.request.method), ["PUT", "POST"]);
const stale = await refusal(client.update({
  resourceType, id: one.id, body: { ...patched, status: "amended" }, options: { headers: { "If-Match": `W/"${one.meta.versionId}"` } },
}));
const everything = await client.operation({ name: "everything", resourceType: "Patient", id: patient, method: "GET" });
assert.ok(everything.entry.length >= 8);
await client.delete({ resourceType, id: one.id });
const gone = await refusal(client.read({ resourceType, id: one.id }));
const unknown = await refusal(client.search({ resourceType, searchParams: { shoe: "43" }, options: { headers: { Prefer: "handling=strict" } } }));
console.log(JSON.stringify({ patient, stale, gone, unknown, left: 6 }));
