-- V028  Letters to people, until they are delivered; codes by whose they are. Expands only.

-- A letter to one mailbox
create table letters (
    tenant_id uuid not null references tenants (id),
    id uuid not null,
    kind text not null check (kind in ('PASSWORD_RESET', 'EMAIL_VERIFICATION', 'INVITATION')),
    resource_type text not null check (char_length(resource_type) <= 300),
    resource_id uuid not null,
    letter_enc bytea,
    state text not null default 'WAITING' check (state in ('WAITING', 'SENT', 'FAILED')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    good_until timestamptz not null,
    failure text check (failure in ('REFUSED', 'DEFERRED', 'UNREACHABLE', 'UNREADABLE', 'TOO_LATE')),
    reply_code integer,
    sent_at timestamptz,
    created_at timestamptz not null default now(),
    created_by uuid,
    primary key (tenant_id, id)
);
create index letters_next_attempt_at_any_idx on letters (next_attempt_at) where state = 'WAITING';
create index letters_created_at_id_idx on letters (tenant_id, created_at, id);
create index letters_state_idx on letters (tenant_id, state);
create index letters_resource_id_idx on letters (tenant_id, resource_id);
comment on table letters is 'A letter to one mailbox. Sensitivity: business.';
comment on column letters.letter_enc is 'sensitivity: pii; address and text, sealed by the server; null when nobody is to deliver it any more';
comment on column letters.next_attempt_at is 'while a server delivers it: when another may';
comment on column letters.good_until is 'what it says is worth nothing afterwards';
comment on column letters.reply_code is 'what the mail server answered (RFC 5321 section 4.2)';
select kernel.record('letters');

-- Codes that wait to be redeemed, by whose they are
create index oauth_authorizations_user_id_any_idx on oauth_authorizations (user_id) where session_id is null;
