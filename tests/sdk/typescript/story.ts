// One patient's way from the door to the claim, by the generated client alone.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { env: Record<string, string | undefined> };
const { ENAMEL_URL, ENAMEL_TOKEN, ENAMEL_ZONE } = process.env;
const api = createClient<paths>({ baseUrl: ENAMEL_URL!, headers: { authorization: `Bearer ${ENAMEL_TOKEN}` } });

/** What was answered, or the problem as an error. */
function good<T>(answer: { data?: T; error?: { code: string; detail?: string | null }; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.url}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}
const at = (id: string) => ({ params: { path: { id } } });

const location = good(await api.POST("/api/v1/locations", { body: { name: "Main Street", country: "DE", time_zone: ENAMEL_ZONE! } }));
const dentist = good(await api.POST("/api/v1/providers", { body: { full_name: "Dr. Ada Ember", specialty: "General" } }));
const payer = good(await api.POST("/api/v1/payers", { body: { name: "Sure Dental" } }));

const patient = good(await api.POST("/api/v1/patients", { body: { first_name: "Robin", last_name: "Quill", dob: "1990-02-03" } }));
const person = { patient_id: patient.id };
const policy = good(
  await api.POST("/api/v1/patient-insurance-policies", {
    body: { ...person, payer_id: payer.id, policy_number: "P-1", currency: "EUR", coverage_start: "2020-01-01" },
  }),
);

const start_at = new Date(Date.now() + 20 * 60_000).toISOString();
const place = { location_id: location.id, provider_id: dentist.id };
const appointment = good(await api.POST("/api/v1/appointments", { body: { ...person, ...place, start_at, duration_minutes: 30 } }));
good(await api.POST("/api/v1/appointments/{id}/confirm", { ...at(appointment.id), body: { via: "PHONE" } }));

const encounter = good(
  await api.POST("/api/v1/encounters", { body: { ...person, ...place, appointment_id: appointment.id, encounter_type: "EXAM" } }),
);
good(await api.POST("/api/v1/appointments/{id}/check-in", at(appointment.id)));
good(await api.POST("/api/v1/appointments/{id}/start", at(appointment.id)));
const begun = good(await api.GET("/api/v1/encounters/{id}", at(encounter.id)));
if (begun.status !== "IN_PROGRESS") throw new Error(`the visit is ${begun.status}`);

const finding = good(
  await api.POST("/api/v1/chart-entries", {
    body: {
      ...person,
      encounter_id: encounter.id,
      axis: "FINDING",
      tooth_system: "FDI",
      tooth_entered: "16",
      surfaces: ["O"],
      finding_display: "Caries",
      caries_depth: "DENTIN",
      observed_at: new Date().toISOString(),
    },
  }),
);
if (finding.fdi_tooth !== "16") throw new Error(`charted at ${finding.fdi_tooth}`);

const code = { code_system: "INTERNAL", currency: "EUR", tooth_number: "16" };
const plan = good(await api.POST("/api/v1/treatment-plans", { body: { ...person, currency: "EUR", title: "Filling" } }));
const item = good(
  await api.POST("/api/v1/treatment-plan-items", {
    body: { ...person, ...code, plan_id: plan.id, cdt_code: "T1234", description: "Filling", estimated_fee_minor: 9_000 },
  }),
);
good(await api.POST("/api/v1/treatment-plans/{id}/present", at(plan.id)));
const accepted = good(
  await api.POST("/api/v1/treatment-plans/{id}/accept", { ...at(plan.id), body: { revision_no: 1, method: "IN_CLINIC" } }),
);
if (accepted.status !== "ACCEPTED") throw new Error(`the plan is ${accepted.status}`);

const procedure = good(
  await api.POST("/api/v1/procedures", {
    body: {
      ...person,
      ...code,
      encounter_id: encounter.id,
      provider_id: dentist.id,
      cdt_code: "T1234",
      description: "Filling",
      surface: ["O"],
      fee_minor: 9_000,
    },
  }),
);
good(await api.POST("/api/v1/plan-item-procedures", { body: { ...person, plan_item_id: item.id, procedure_id: procedure.id } }));
good(await api.POST("/api/v1/procedures/{id}/start", at(procedure.id)));
good(await api.POST("/api/v1/procedures/{id}/complete", { ...at(procedure.id), body: {} }));

const claim = good(
  await api.POST("/api/v1/claims", {
    body: { ...person, payer_id: payer.id, policy_id: policy.id, billing_provider_id: dentist.id, encounter_id: encounter.id, currency: "EUR" },
  }),
);
good(
  await api.POST("/api/v1/claim-lines", {
    body: {
      ...person,
      claim_id: claim.id,
      procedure_id: procedure.id,
      line_no: 1,
      code_system: "INTERNAL",
      code: "T1234",
      tooth_number: "16",
      service_date: new Date().toISOString().slice(0, 10),
      billed_minor: 9_000,
      currency: "EUR",
    },
  }),
);
good(await api.POST("/api/v1/claims/{id}/validate", at(claim.id)));
const sent = good(await api.POST("/api/v1/claims/{id}/submit", at(claim.id)));

// A problem is told by its type too, and a page is read by its cursor.
const refused = await api.POST("/api/v1/patients", { body: { last_name: " " } });
if (refused.error?.errors?.[0]?.field !== "last_name") throw new Error(`refused with ${JSON.stringify(refused.error)}`);
const page = good(await api.GET("/api/v1/claims", { params: { query: { limit: 1, patient_id: patient.id } } }));
console.log(JSON.stringify({ claim: sent.id, listed: page.items[0]?.id, status: sent.status, billed: sent.total_billed_minor }));
