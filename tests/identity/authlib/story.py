"""A program by its key, and a person who lets an application in: told with Authlib."""

import json
import os
import sys
import time

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oauth2.rfc7523 import PrivateKeyJWT

env = os.environ
url = env["ENAMEL_URL"]
meta = requests.get(url + "/fhir/r4/.well-known/smart-configuration", timeout=30).json()


class Rs384(PrivateKeyJWT):
    """As SMART wants it: RS384, with the key's id, for five minutes at most."""

    alg = "RS384"

    def __init__(self):
        super().__init__(token_endpoint=meta["token_endpoint"], headers={"kid": "one"})

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 240}
        return super().sign(auth, token_endpoint)


def session(client_id, **more):
    way = {"token_endpoint_auth_method": "private_key_jwt", "revocation_endpoint_auth_method": "private_key_jwt"}
    made = OAuth2Session(client_id, env["KEY"], **way, **more)
    made.register_client_auth_method(Rs384())
    return made


def status(made, path):
    return made.get(url + "/fhir/r4/" + path).status_code


backend = session(env["BACKEND"])
backend.fetch_token(meta["token_endpoint"], grant_type="client_credentials", scope="system/Patient.rs")
told = {"backend": status(backend, "Patient"), "narrow": status(backend, "Condition")}

app = session(
    env["APP"],
    redirect_uri=env["REDIRECT"],
    scope="openid fhirUser profile offline_access launch/patient patient/*.rs",
    code_challenge_method="S256",
)
verifier = generate_token(48)
address, state = app.create_authorization_url(
    meta["authorization_endpoint"], code_verifier=verifier, nonce=generate_token(), aud=url + "/fhir/r4"
)
print(address, flush=True)
callback = sys.stdin.readline().strip()
token = app.fetch_token(meta["token_endpoint"], authorization_response=callback, code_verifier=verifier, state=state)
info = app.get(requests.get(url + "/.well-known/openid-configuration", timeout=30).json()["userinfo_endpoint"]).json()
told["person"] = info["name"]
told["patient"] = token["patient"]
told["seen"] = status(app, "Patient/" + env["EXPECTED"])
after = app.refresh_token(meta["token_endpoint"], refresh_token=token["refresh_token"])
active = app.introspect_token(meta["introspection_endpoint"], token=after["access_token"]).json()
told["active"] = [active["active"], active["patient"] == token["patient"], active["client_id"] == env["APP"]]
app.revoke_token(meta["revocation_endpoint"], token=after["refresh_token"]).raise_for_status()
told["dead"] = app.introspect_token(meta["introspection_endpoint"], token=after["access_token"]).json()["active"]
try:
    app.refresh_token(meta["token_endpoint"], refresh_token=after["refresh_token"])
except OAuthError as refusal:
    told["refused"] = refusal.error
print(json.dumps(told))
