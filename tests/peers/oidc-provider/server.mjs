// The certified provider `oidc-provider`, with two people and two clients, on a free loopback port.
// Usage: node server.mjs <redirect-uri> <client-secret>. Says "ready <issuer>", ends when stdin ends.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [redirectUri, clientSecret] = process.argv.slice(2);

const people = {
  alice: { email: 'alice@bright-north.example', email_verified: true, name: 'Alice Ngata' },
  bob: { email: 'bob@oak-street.example', email_verified: false, name: 'Bob Stone' },
};

const key = (kid, alg, type, options) =>
  ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' });

const client = (id, alg) => ({
  client_id: id,
  client_secret: clientSecret,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_basic',
  id_token_signed_response_alg: alg,
});

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [client('signs-rs256', 'RS256'), client('signs-es256', 'ES256')],
    jwks: { keys: [
      key('r1', 'RS256', 'rsa', { modulusLength: 2048 }),
      key('e1', 'ES256', 'ec', { namedCurve: 'P-256' }),
    ] },
    cookies: { keys: ['for tests only'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: async (_, sub) =>
      people[sub] && { accountId: sub, claims: async () => ({ sub, ...people[sub] }) },
    features: { devInteractions: { enabled: true } },
  });
  server.on('request', provider.callback());
  console.log(`ready ${issuer}`);
});

process.stdin.resume().on('end', () => process.exit(0));
