-- Who may see and change what in reference; planes and permissions as the model lists them.
select kernel.protect('code_systems',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_reference');
select kernel.protect('code_values',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_reference');
select kernel.protect('code_licences', 'staff=all/create group=all/none audit=all/none jobs=all/create',
    read => 'view_tenant', write => 'manage_reference');
select kernel.protect('drug_reference',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_reference');
select kernel.protect('material_reference',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_reference');
select kernel.protect('equipment_reference',
    'staff=all/all group=all/none patient=linked/none audit=all/none jobs=all/all platform=all/all',
    home => 'shared', read => 'view_tenant', write => 'manage_reference');
select kernel.protect('procedure_catalog',
    'staff=all/all group=all/none patient=linked/none audit=all/none auth=all/none jobs=all/all',
    read => 'view_tenant', write => 'manage_reference');
