-- Who may see and change what in tenancy; planes and permissions as the model lists them.
select kernel.protect('tenants',
    -- A tenant's admin may not choose its place in the tree, its kind, state or region: a changed parent would graft it
    -- into another's subtree. Those belong to the platform.
    'staff=all/name,slug,category,jurisdiction,default_currency,default_locale,time_zone,default_location_id,legal_name,tax_id_enc group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'root', read => 'view_tenant', write => 'manage_tenant', sec => 'rw');
select kernel.protect('tenant_closure', 'jobs=all/none', home => 'catalogue', sec => 'rw');
select kernel.protect('tenant_settings', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant', sec => 'r');
select kernel.protect('tenant_branding',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant');
select kernel.protect('tenant_email_templates', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant');
select kernel.protect('subscription_plans',
    'staff=all/none group=all/none auth=all/none jobs=all/all platform=all/all', home => 'catalogue',
    read => 'view_tenant', write => 'manage_platform');
select kernel.protect('tenant_subscriptions',
    'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all', read => 'manage_billing',
    write => 'manage_billing');
select kernel.protect('tenant_features', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'view_tenant', write => 'manage_platform');
select kernel.protect('tenant_quotas', 'staff=all/all group=all/none audit=all/none jobs=all/all platform=all/all',
    read => 'view_tenant', write => 'manage_platform');
select kernel.protect('locations',
    'staff=all/all group=all/none patient=linked/none share=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_tenant', staff_only => '{address_line1,address_line2,phone,email}',
    sec => 'r');
select kernel.protect('operatories', 'staff=all/all group=all/none audit=all/none jobs=all/all',
    read => 'view_schedule', write => 'manage_tenant');
select kernel.protect('teams', 'staff=all/all group=all/none audit=all/none jobs=all/all', read => 'view_tenant',
    write => 'manage_users');
select kernel.protect('tenant_placements', 'jobs=all/none platform=all/all', home => 'catalogue',
    read => 'manage_platform', write => 'manage_platform');
select kernel.protect('tenant_moves', 'jobs=all/all platform=all/all', home => 'catalogue',
    read => 'manage_platform', write => 'manage_platform');
grant delete on enamel.tenant_closure to enamel_sec;
create policy sec_d on enamel.tenant_closure for delete to enamel_sec using (true);
grant select on enamel.billing_plans to enamel_staff, enamel_platform;
