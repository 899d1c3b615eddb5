// A program by its key, and a person who lets an application in: told with openid-client.
import { createPrivateKey, webcrypto } from 'node:crypto'
import { createInterface } from 'node:readline'
import * as client from 'openid-client'

const { ENAMEL_URL, BACKEND, APP, REDIRECT, KEY, EXPECTED } = process.env
const der = createPrivateKey(KEY).export({ type: 'pkcs8', format: 'der' })
const key = await webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign'])
const insecure = { execute: [client.allowInsecureRequests] }
const discover = (id) => client.discovery(new URL(ENAMEL_URL), id, undefined, client.PrivateKeyJwt({ key, kid: 'one' }), insecure)
const fhir = async (token, path) => (await fetch(`${ENAMEL_URL}/fhir/r4/${path}`, { headers: { authorization: `Bearer ${token}` } })).status

const backend = await discover(BACKEND)
const own = await client.clientCredentialsGrant(backend, { scope: 'system/Patient.rs' })
const told = { backend: await fhir(own.access_token, 'Patient'), narrow: await fhir(own.access_token, 'Condition') }

const app = await discover(APP)
const pkceCodeVerifier = client.randomPKCECodeVerifier()
const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
const url = await client.buildAuthorizationUrlWithPAR(app, {
  redirect_uri: REDIRECT,
  scope: 'openid fhirUser profile offline_access launch/patient patient/*.rs',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
  code_challenge_method: 'S256',
  state: expectedState,
  nonce: expectedNonce,
  aud: `${ENAMEL_URL}/fhir/r4`,
})
console.log(url.href)
const lines = createInterface({ input: process.stdin })
const callback = await new Promise((done) => lines.once('line', done))
lines.close()

const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(app, new URL(callback), checks)
const claims = tokens.claims()
const info = await client.fetchUserInfo(app, tokens.access_token, claims.sub)
told.person = info.name
told.patient = tokens.patient
told.seen = await fhir(tokens.access_token, `Patient/${EXPECTED}`)
const next = await client.refreshTokenGrant(app, tokens.refresh_token)
const introspected = await client.tokenIntrospection(app, next.access_token)
told.active = [introspected.active, introspected.patient === tokens.patient, introspected.client_id === APP]
await client.tokenRevocation(app, next.refresh_token)
told.dead = (await client.tokenIntrospection(app, next.access_token)).active
told.refused = await client.refreshTokenGrant(app, next.refresh_token).catch((refusal) => refusal.error)
console.log(JSON.stringify(told))
