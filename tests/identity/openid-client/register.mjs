// An application registers itself by its vendor's statement; then it acts in a tenant that has admitted it: told with openid-client.
import { createPrivateKey, webcrypto } from 'node:crypto'
import * as client from 'openid-client'

const { ENAMEL_URL, STATEMENT, CLIENT, TENANT, KEY } = process.env
const insecure = { execute: [client.allowInsecureRequests] }
if (STATEMENT) {
  const made = await client.dynamicClientRegistration(new URL(ENAMEL_URL), { software_statement: STATEMENT }, client.None(), insecure)
  console.log(JSON.stringify(made.clientMetadata()))
} else {
  const der = createPrivateKey(KEY).export({ type: 'pkcs8', format: 'der' })
  const key = await webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign'])
  const app = await client.discovery(new URL(ENAMEL_URL), CLIENT, undefined, client.PrivateKeyJwt({ key, kid: 'own' }), insecure)
  const { access_token, tenant } = await client.clientCredentialsGrant(app, { scope: 'system/Patient.rs', audience: TENANT })
  const seen = await fetch(`${ENAMEL_URL}/fhir/r4/Patient`, { headers: { authorization: `Bearer ${access_token}` } })
  console.log(JSON.stringify({ tenant, seen: seen.status }))
}
