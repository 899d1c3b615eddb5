-- V030  Programs that prove themselves by certificates, and tokens bound to one (RFC 8705). Expands only.
alter table api_clients
    add column tls_names text[] not null default '{}',
    add column tls_thumbprints text[] not null default '{}';
comment on column api_clients.tls_names is 'DNS names and URIs of the subject alternative name that an authority has given the program';
comment on column api_clients.tls_thumbprints is 'base64url of the SHA-256 of each certificate that is registered by itself';
alter table sessions add column certificate_thumbprint text check (char_length(certificate_thumbprint) <= 100);
