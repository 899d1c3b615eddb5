-- Who may see and change what in billing; planes and permissions as the model lists them.
select kernel.protect('tenant_billing_accounts', 'staff=all/all audit=all/none jobs=all/all platform=all/all',
    read => 'manage_billing', write => 'manage_billing', secret => '{payment_method_token_enc}');
select kernel.protect('invoices', 'staff=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'manage_billing', write => 'manage_billing', sec => 'r');
select kernel.protect('invoice_line_items', 'staff=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'manage_billing', write => 'manage_billing');
select kernel.protect('usage_meters', 'staff=all/none group=all/none jobs=all/all platform=all/all',
    home => 'catalogue', read => 'view_tenant', write => 'manage_platform');
select kernel.protect('usage_meter_readings',
    'staff=all/none group=all/none audit=all/none jobs=all/create platform=all/none', read => 'manage_billing',
    write => 'manage_billing');
select kernel.protect('usage_events', 'staff=none/create jobs=all/create', sec => 'rw');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('tenant_billing_accounts', 'status', '{
    ACTIVE>ON_HOLD,ON_HOLD>ACTIVE}');
select kernel.moves('invoices', 'status', '{
    DRAFT>OPEN,OPEN>PAID,OPEN>OVERDUE,OVERDUE>PAID,OPEN>VOID,OVERDUE>VOID,DRAFT>VOID,OVERDUE>UNCOLLECTIBLE}');

-- ── Invoices ────────────────────────────────────────────────────────────────────────────────────────────────────
-- A draft has no number of the books yet; `issue` gives it the next one of its year.
create or replace function kernel.number_invoice() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.invoice_number := coalesce(new.invoice_number, 'DRAFT-' || upper(left(replace(gen_random_uuid()::text, '-', ''), 12)));
    return new;
end $$;
create or replace trigger number_invoice before insert on enamel.invoices for each row execute function kernel.number_invoice();

create or replace function kernel.part_of_invoice() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare wanted text;
begin
    select i.currency into wanted from enamel.invoices i where i.tenant_id = new.tenant_id and i.id = new.invoice_id for no key update;
    if wanted <> new.currency then
        raise exception 'the line is in another currency'
            using errcode = '23514', table = 'invoice_line_items', constraint = 'invoice_line_items_currency_check';
    end if;
    return new;
end $$;
create or replace trigger belongs before insert or update of currency on enamel.invoice_line_items
    for each row execute function kernel.part_of_invoice();
create or replace function kernel.sum_invoice() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update enamel.invoices i set subtotal_minor = s.net, tax_minor = s.tax, total_amount_minor = s.net + s.tax
      from (select coalesce(sum(l.amount_minor) filter (where l.kind <> 'TAX'), 0) as net,
                   coalesce(sum(l.amount_minor) filter (where l.kind = 'TAX'), 0) as tax
              from enamel.invoice_line_items l where l.tenant_id = new.tenant_id and l.invoice_id = new.invoice_id) s
     where i.tenant_id = new.tenant_id and i.id = new.invoice_id;
    return null;
end $$;
create or replace trigger sum_invoice after insert or update of amount_minor, kind on enamel.invoice_line_items
    for each row execute function kernel.sum_invoice();

select kernel.freeze('invoices', $$old.status <> 'DRAFT'$$, 'An issued invoice stays: void it and issue another.',
    '{status,paid_at,document_id}');
select kernel.freeze_with('invoice_line_items', 'invoice_id', 'invoices', $$p.status <> 'DRAFT'$$,
    'An issued invoice stays: void it and issue another.');

-- The platform's people act in the tenant whose invoice it is; here they learn which that is.
create or replace function sec.tenant_of_invoice(invoice uuid) returns uuid language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare c sec.claims := sec.claims();
begin
    if c.plane is distinct from 'platform' then
        raise exception 'invoices are the platform''s' using errcode = '42501';
    end if;
    return (select i.tenant_id from enamel.invoices i where i.id = invoice limit 1);
end $$;
grant execute on function sec.tenant_of_invoice(uuid) to enamel_platform;
