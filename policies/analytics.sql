-- Who may see and change what in analytics; planes and permissions as the model lists them.
select kernel.protect('analytics_rollups', 'staff=all/none group=all/none audit=all/none jobs=all/all',
    read => 'view_analytics', write => 'view_analytics');
select kernel.protect('warehouse_loads', 'staff=all/none audit=all/none jobs=all/all', read => 'view_analytics',
    write => 'view_analytics');

-- The moves of each state machine; the records' tables in the code hold the same.
select kernel.moves('warehouse_loads', 'status', '{
    RUNNING>SUCCEEDED,RUNNING>FAILED}');
