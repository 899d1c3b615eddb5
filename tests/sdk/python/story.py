"""One patient's way from the door to the claim, by the generated client alone."""

import datetime as dt
import json
import os
from uuid import UUID

from enamel_api import AuthenticatedClient
from enamel_api import models as m
from enamel_api.api.appointments import (
    check_in_appointment,
    confirm_appointment,
    create_appointment,
    start_appointment,
)
from enamel_api.api.dental_charting_and_periodontal_charting import create_chart_entry
from enamel_api.api.encounters import create_encounter, get_encounter
from enamel_api.api.fee_schedules import (
    create_claim,
    create_claim_line,
    list_claims,
    submit_claim,
    validate_claim,
)
from enamel_api.api.clinic_profiles import create_provider
from enamel_api.api.patients import create_patient, create_patient_insurance_policy, create_payer
from enamel_api.api.tenancy import create_location
from enamel_api.api.treatment_plans import (
    accept_treatment_plan,
    complete_procedure,
    create_plan_item_procedure,
    create_procedure,
    create_treatment_plan,
    create_treatment_plan_item,
    present_treatment_plan,
    start_procedure,
)

client = AuthenticatedClient(
    base_url=os.environ["ENAMEL_URL"], token=os.environ["ENAMEL_TOKEN"], raise_on_unexpected_status=True
)
now = dt.datetime.now(dt.timezone.utc)


def good(endpoint, *path, **given):
    """What was answered, or the problem as an error."""
    answer = endpoint.sync(*path, client=client, **given)
    if answer is None or isinstance(answer, m.Problem):
        raise SystemExit(f"{endpoint.__name__}: {answer}")
    return answer


location = good(
    create_location, body=m.LocationCreate(name="Main Street", country="DE", time_zone=os.environ["ENAMEL_ZONE"])
)
dentist = good(create_provider, body=m.ProviderCreate(full_name="Dr. Ada Ember", specialty="General"))
payer = good(create_payer, body=m.PayerCreate(name="Sure Dental"))

patient = good(
    create_patient, body=m.PatientCreate(first_name="Robin", last_name="Quill", dob=dt.date(1990, 2, 3))
)
policy = good(
    create_patient_insurance_policy,
    body=m.PatientInsurancePolicyCreate(
        patient_id=patient.id, payer_id=payer.id, policy_number="P-1", currency="EUR", coverage_start=dt.date(2020, 1, 1)
    ),
)

appointment = good(
    create_appointment,
    body=m.AppointmentCreate(
        patient_id=patient.id,
        location_id=location.id,
        provider_id=dentist.id,
        start_at=now + dt.timedelta(minutes=20),
        duration_minutes=30,
    ),
)
good(
    confirm_appointment,
    appointment.id,
    body=m.ConfirmAppointmentInput(via=m.ConfirmAppointmentVia.PHONE),
)
encounter = good(
    create_encounter,
    body=m.EncounterCreate(
        patient_id=patient.id,
        location_id=location.id,
        provider_id=dentist.id,
        appointment_id=appointment.id,
        encounter_type=m.EncounterEncounterType.EXAM,
    ),
)
good(check_in_appointment, appointment.id)
good(start_appointment, appointment.id)
begun = good(get_encounter, encounter.id)
assert begun.status == "IN_PROGRESS", begun.status

finding = good(
    create_chart_entry,
    body=m.ChartEntryCreate(
        patient_id=patient.id,
        encounter_id=encounter.id,
        axis=m.ChartEntryAxis.FINDING,
        tooth_system=m.ChartEntryToothSystem.FDI,
        tooth_entered="16",
        surfaces=["O"],
        finding_display="Caries",
        caries_depth=m.ChartEntryCariesDepth.DENTIN,
        observed_at=now,
    ),
)
assert finding.fdi_tooth == "16", finding.fdi_tooth

plan = good(
    create_treatment_plan, body=m.TreatmentPlanCreate(patient_id=patient.id, currency="EUR", title="Filling")
)
item = good(
    create_treatment_plan_item,
    body=m.TreatmentPlanItemCreate(
        plan_id=plan.id,
        patient_id=patient.id,
        code_system="INTERNAL",
        cdt_code="T1234",
        description="Filling",
        tooth_number="16",
        currency="EUR",
        estimated_fee_minor=9_000,
    ),
)
good(present_treatment_plan, plan.id)
accepted = good(
    accept_treatment_plan,
    plan.id,
    body=m.AcceptTreatmentPlanInput(revision_no=1, method=m.AcceptTreatmentPlanMethod.IN_CLINIC),
)
assert accepted.status == "ACCEPTED", accepted.status

procedure = good(
    create_procedure,
    body=m.ProcedureCreate(
        patient_id=patient.id,
        encounter_id=encounter.id,
        provider_id=dentist.id,
        code_system="INTERNAL",
        cdt_code="T1234",
        description="Filling",
        tooth_number="16",
        surface=["O"],
        fee_minor=9_000,
        currency="EUR",
    ),
)
good(
    create_plan_item_procedure,
    body=m.PlanItemProcedureCreate(plan_item_id=item.id, procedure_id=procedure.id, patient_id=patient.id),
)
good(start_procedure, procedure.id)
good(complete_procedure, procedure.id, body=m.CompleteProcedureInput())

claim = good(
    create_claim,
    body=m.ClaimCreate(
        patient_id=patient.id,
        payer_id=payer.id,
        policy_id=policy.id,
        billing_provider_id=dentist.id,
        encounter_id=encounter.id,
        currency="EUR",
    ),
)
good(
    create_claim_line,
    body=m.ClaimLineCreate(
        claim_id=claim.id,
        patient_id=patient.id,
        procedure_id=procedure.id,
        line_no=1,
        code_system="INTERNAL",
        code="T1234",
        tooth_number="16",
        service_date=now.date(),
        billed_minor=9_000,
        currency="EUR",
    ),
)
good(validate_claim, claim.id)
sent = good(submit_claim, claim.id)

# A problem is told by its type too, and a page is read by its cursor.
refused = create_patient.sync(client=client, body=m.PatientCreate(last_name=" "))
assert isinstance(refused, m.Problem) and refused.errors[0].field == "last_name", refused
page = good(list_claims, limit=1, patient_id=patient.id)
assert isinstance(sent.id, UUID)
print(
    json.dumps(
        {
            "claim": str(sent.id),
            "listed": str(page.items[0].id),
            "status": sent.status.value,
            "billed": sent.total_billed_minor,
        }
    )
)
