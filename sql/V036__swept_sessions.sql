-- V036  Sessions that are long over go: what the sweep walks, and what it asks of each. Expands, and replaces an index.

create index sessions_programs_expires_at_idx on sessions (expires_at) where auth_method = 'API_CLIENT';
create index sessions_people_expires_at_idx on sessions (expires_at) where auth_method <> 'API_CLIENT';
drop index sessions_expires_at_idx;
create index oauth_authorizations_session_idx on oauth_authorizations (session_id) where session_id is not null;
create index oauth_authorizations_sign_in_session_idx on oauth_authorizations (sign_in_session_id) where sign_in_session_id is not null;
create index oauth_authorizations_unspent_code_idx on oauth_authorizations (code_expires_at) where session_id is null;
create index logout_notices_session_idx on logout_notices (session_id);
