-- Who may see and change what in billing; planes and permissions as the model lists them.
select kernel.protect('tenant_billing_accounts', 'staff=all/all audit=all/none jobs=all/all platform=all/all',
    read => 'manage_billing', write => 'manage_billing', secret => '{payment_method_token_enc}');
select kernel.protect('invoices', 'staff=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'manage_billing', write => 'manage_billing');
select kernel.protect('invoice_line_items', 'staff=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'manage_billing', write => 'manage_billing');
select kernel.protect('usage_meters', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('usage_meter_readings',
    'staff=all/none group=all/none audit=all/none jobs=all/create platform=all/none', read => 'manage_billing',
    write => 'manage_billing');
select kernel.protect('usage_events', 'staff=none/create jobs=all/create');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('tenant_billing_accounts', 'status', '{
    ACTIVE>ON_HOLD,ON_HOLD>ACTIVE}');
select kernel.moves('invoices', 'status', '{
    DRAFT>OPEN,OPEN>PAID,OPEN>OVERDUE,OVERDUE>PAID,OPEN>VOID,OVERDUE>VOID,DRAFT>VOID,OVERDUE>UNCOLLECTIBLE}');
