// Somebody opens an application for one patient: told with the SMART team's own client. What a web server would hand it is
// handed to it here, a request and a response at a time.
import { createInterface } from 'node:readline'
import smart from 'fhirclient'

const { ENAMEL_URL, APP, REDIRECT } = process.env
const held = new Map()
const storage = {
  get: async (key) => held.get(key),
  set: async (key, value) => (held.set(key, value), value),
  unset: async (key) => held.delete(key),
}
const { host } = new URL(REDIRECT)
const visit = (url) => {
  const went = {}
  const response = { writeHead: (_, headers) => Object.assign(went, headers), end: () => {} }
  return [smart({ url, headers: { host }, socket: {} }, response, storage), went]
}

const [launch, went] = visit('/launch')
await launch.authorize({
  iss: `${ENAMEL_URL}/fhir/r4`,
  clientId: APP,
  scope: 'openid fhirUser offline_access launch/patient patient/*.rs user/Practitioner.rs',
  redirectUri: REDIRECT,
  pkceMode: 'required',
})
console.log(went.location)
const lines = createInterface({ input: process.stdin })
const callback = new URL(await new Promise((done) => lines.once('line', done)))
lines.close()

const [back] = visit(callback.pathname + callback.search)
back.options.refreshTokenWithClientId = true
const client = await back.ready()
const told = { patient: client.patient.id, banner: client.getState('tokenResponse.need_patient_banner') }
const refusal = async (asked) => asked.then(() => 200, (error) => error.status)
told.name = (await client.patient.read()).name[0].family
told.conditions = (await client.patient.request('Condition', { flat: true })).length
told.other = await refusal(client.request(`Patient/${process.env.OTHER}`))
told.write = await refusal(client.update({ resourceType: 'Patient', id: client.patient.id, name: [{ family: 'Changed' }] }))
told.user = client.user.fhirUser
told.person = (await client.user.read()).resourceType
const before = client.getState('tokenResponse.access_token')
await client.refresh()
told.renewed = client.getState('tokenResponse.access_token') !== before
told.again = (await client.patient.read()).id === told.patient
console.log(JSON.stringify(told))
