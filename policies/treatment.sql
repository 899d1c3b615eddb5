-- Who may see and change what in treatment; planes and permissions as the model lists them.
select kernel.protect('treatment_plans',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', rows => 'visible_to_patient',
    staff_only => '{internal_notes}');
select kernel.protect('treatment_plan_items',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', rows => 'visible_to_patient');
select kernel.protect('treatment_plan_revisions',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_treatment',
    write => 'view_treatment', patient => 'patient_id', rows => 'presented_at is not null');
select kernel.protect('quotes', 'staff=all/all group=all/none patient=own/own audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id', proxy => 'plans/plans');
select kernel.protect('quote_events',
    'staff=all/none group=all/none patient=own/none audit=all/none jobs=all/create', read => 'view_treatment',
    write => 'view_treatment', patient => 'patient_id');
select kernel.protect('bookings',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id');
select kernel.protect('procedures',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('plan_item_procedures',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_treatment', write => 'edit_treatment', patient => 'patient_id');
select kernel.protect('procedure_materials',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('clinical_outcomes',
    'staff=all/all group=all/none patient=own/none share=own/none audit=all/none jobs=all/all',
    read => 'view_clinical', write => 'edit_clinical', patient => 'patient_id');
select kernel.protect('payment_methods', 'staff=all/all group=all/none patient=own/own audit=all/none jobs=all/all',
    read => 'view_payments', write => 'edit_payments', patient => 'patient_id',
    secret => '{gateway_customer_token_enc,gateway_method_token_enc}', proxy => 'billing/billing');
select kernel.protect('payments',
    'staff=all/all group=all/none patient=own/none audit=all/none auth=none/none jobs=all/all',
    read => 'view_payments', write => 'edit_payments', patient => 'patient_id', secret => '{gateway_payment_id}');
select kernel.protect('payment_events', 'staff=all/none group=all/none audit=all/none jobs=all/create',
    read => 'view_payments', write => 'view_payments', secret => '{payload_enc}');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('treatment_plans', 'status', '{
    DRAFT>PRESENTED,DRAFT>CANCELLED,PRESENTED>ACCEPTED,PRESENTED>PARTIALLY_ACCEPTED,PRESENTED>DECLINED,
    PRESENTED>SUPERSEDED,ACCEPTED>IN_TREATMENT,PARTIALLY_ACCEPTED>IN_TREATMENT,ACCEPTED>CANCELLED,
    PARTIALLY_ACCEPTED>CANCELLED,ACCEPTED>SUPERSEDED,PARTIALLY_ACCEPTED>SUPERSEDED,IN_TREATMENT>COMPLETED,
    IN_TREATMENT>CANCELLED}');
select kernel.moves('treatment_plan_items', 'status', '{
    PROPOSED>ACCEPTED,PROPOSED>DECLINED,ACCEPTED>SCHEDULED,ACCEPTED>IN_PROGRESS,SCHEDULED>IN_PROGRESS,
    ACCEPTED>COMPLETED,SCHEDULED>COMPLETED,IN_PROGRESS>COMPLETED,PROPOSED>CANCELLED,ACCEPTED>CANCELLED,
    SCHEDULED>CANCELLED,IN_PROGRESS>CANCELLED}');
select kernel.moves('quotes', 'status', '{
    BUILDING>SUBMITTED,SUBMITTED>PLANNED,BUILDING>WITHDRAWN,SUBMITTED>WITHDRAWN,PLANNED>WITHDRAWN,BUILDING>EXPIRED,
    SUBMITTED>EXPIRED}');
select kernel.moves('bookings', 'status', '{
    PENDING>CONFIRMED,PENDING>CANCELLED,CONFIRMED>CANCELLED,CONFIRMED>COMPLETED}');
select kernel.moves('bookings', 'deposit_status', '{
    PENDING>PAID,PENDING>FAILED,FAILED>PENDING,PAID>REFUNDED}');
select kernel.moves('procedures', 'status', '{
    PLANNED>SCHEDULED,PLANNED>IN_PROGRESS,SCHEDULED>IN_PROGRESS,IN_PROGRESS>COMPLETED,SCHEDULED>COMPLETED,
    PLANNED>COMPLETED,PLANNED>CANCELLED,SCHEDULED>CANCELLED,IN_PROGRESS>CANCELLED,COMPLETED>ENTERED_IN_ERROR}');
select kernel.moves('payments', 'status', '{
    PENDING>REQUIRES_ACTION,PENDING>SUCCEEDED,REQUIRES_ACTION>SUCCEEDED,PENDING>FAILED,REQUIRES_ACTION>FAILED,
    PENDING>CANCELLED,REQUIRES_ACTION>CANCELLED,SUCCEEDED>PARTIALLY_REFUNDED,SUCCEEDED>REFUNDED,
    PARTIALLY_REFUNDED>REFUNDED,SUCCEEDED>DISPUTED,PARTIALLY_REFUNDED>DISPUTED,DISPUTED>SUCCEEDED,DISPUTED>REFUNDED}');
