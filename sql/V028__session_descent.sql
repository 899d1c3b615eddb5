-- V028  Sessions know what they came from; who is signed out is told to the applications that asked. Expands only.

alter table sessions
    add column parent_session_id uuid references sessions (id),
    add column provider_id uuid,
    add column provider_session_hash bytea,
    add column from_tenant_id uuid references tenants (id);
create index sessions_parent_session_id_idx on sessions (parent_session_id);
create index sessions_provider_id_user_id_idx on sessions (provider_id, user_id) where provider_id is not null;
create index sessions_from_tenant_id_idx on sessions (from_tenant_id) where from_tenant_id is not null;
comment on column sessions.parent_session_id is 'the browser''s session out of which an application was let in; of an exchanged token the session it was exchanged from. What has no offline_access ends with it';
comment on column sessions.provider_id is 'the tenant''s identity provider that vouched for the person; no foreign key';
comment on column sessions.provider_session_hash is 'SHA-256 of what the provider calls its session (sid); sensitivity: secret';
comment on column sessions.from_tenant_id is 'of an exchanged token: the tenant of the application, an ancestor of the one it acts in';

alter table oauth_authorizations add column sign_in_session_id uuid references sessions (id);
create index oauth_authorizations_sign_in_session_id_idx on oauth_authorizations (tenant_id, sign_in_session_id);
comment on column oauth_authorizations.sign_in_session_id is 'the browser''s session in which it was allowed';

comment on column api_clients.backchannel_logout_uri is 'where the server tells that a person has signed out (OpenID Connect Back-Channel Logout 1.0)';

-- That a browser's session has ended, for one application that people entered from it: told until it was heard, or given up
create table logout_notices (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    api_client_id uuid not null,
    user_id uuid not null references users (id),
    session_id uuid not null references sessions (id),
    status text not null default 'PENDING' check (status in ('PENDING', 'DELIVERED', 'GIVEN_UP')),
    attempts integer not null default 0 check (attempts >= 0),
    due_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id),
    foreign key (tenant_id, api_client_id) references api_clients (tenant_id, id)
);
create unique index logout_notices_session_id_api_client_id_key on logout_notices (tenant_id, session_id, api_client_id);
create index logout_notices_api_client_id_idx on logout_notices (tenant_id, api_client_id);
create index logout_notices_user_id_idx on logout_notices (tenant_id, user_id);
create index logout_notices_due_at_idx on logout_notices (tenant_id, due_at) where status = 'PENDING';
comment on table logout_notices is 'That a browser''s session has ended, for one application that is told so. Sensitivity: pii.';
comment on column logout_notices.session_id is 'sid in ID tokens and logout tokens';
comment on column logout_notices.due_at is 'when it is told next; moved on before each attempt, so that an attempt whose server dies is made again';
