//! The lives of codes, tokens, refresh families and sessions: random sequences against the running server, each answer judged by a
//! model that knows the promises and no SQL. A failure is told as its shortest sequence. `PROPTEST_CASES` sets how many are tried.

mod steps;

use super::browser::Browser;
use super::oauth::{app, authorize, part, redeem, through};
use crate::world::people::{PASSWORD, Person, text};
use crate::world::tenants::Clinic;
use crate::world::{self, World};
use enamel::identity::token::{Kind, Token};
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use steps::{Step, steps};
use tokio_postgres::Client;
use uuid::Uuid;

/// In which the answer to a refresh may be asked again.
const GRACE: Duration = Duration::from_secs(10);
/// In which the end of an access token has to be felt where nobody told the server of it.
const FELT: Duration = Duration::from_secs(5);
const SCOPES: [&str; 2] = ["user/Patient.rs offline_access", "user/Patient.rs online_access"];

struct Code {
    app: usize,
    text: String,
    state: Spent,
}

#[derive(Clone, Copy, PartialEq)]
enum Spent {
    Not,
    For(usize),
    Ended,
}

struct Session {
    /// None: the person's own, without an application.
    app: Option<usize>,
    alive: bool,
    /// Idle for longer than any session may be; one with `offline_access` may be taken up again by its refresh token.
    rested: bool,
    offline: bool,
    /// The one access token that works.
    access: usize,
}

struct Access {
    session: usize,
    text: String,
    /// When it ended without anybody telling the server.
    ended: Option<Instant>,
}

struct Refresh {
    session: usize,
    text: String,
    used: Option<Instant>,
    aged: bool,
    next: Option<usize>,
}

/// One case: a person, two applications, and what ought to be.
struct Case {
    world: &'static World,
    truth: Client,
    admin: String,
    person: Person,
    apps: Vec<(Uuid, String)>,
    browser: Browser,
    enabled: bool,
    open: [bool; 2],
    codes: Vec<Code>,
    sessions: Vec<Session>,
    accesses: Vec<Access>,
    refreshes: Vec<Refresh>,
}

type Judged = Result<(), String>;

fn expect(what: &str, told: (u16, &Json), wanted: u16) -> Judged {
    if told.0 == wanted { Ok(()) } else { Err(format!("{what}: {} instead of {wanted}: {}", told.0, told.1)) }
}

impl Case {
    async fn new(world: &'static World, clinic: &Clinic, admin: &str) -> Case {
        let (truth, mut apps) = (world.truth().await, Vec::new());
        for _ in 0..2 {
            let (public, _) = app(clinic, "PUBLIC").await;
            let id = truth.query_one("select id from enamel.api_clients where client_id = $1", &[&public]).await.unwrap().get(0);
            apps.push((id, public));
        }
        let (person, browser) = (clinic.employee("CLINICIAN").await, Browser::new());
        let (codes, sessions, accesses, refreshes) = (vec![], vec![], vec![], vec![]);
        let (enabled, open, admin) = (true, [true; 2], admin.to_owned());
        Case { world, truth, admin, person, apps, browser, enabled, open, codes, sessions, accesses, refreshes }
    }

    async fn take(&mut self, step: &Step) -> Judged {
        let pick = |index: &Index, count: usize| (count > 0).then(|| index.index(count));
        let place = match step {
            Step::Exchange { code, .. } | Step::Lapse { code } => pick(code, self.codes.len()),
            Step::Refresh { token, .. } | Step::Age { token } => pick(token, self.refreshes.len()),
            Step::Use { token } => pick(token, self.accesses.len()),
            Step::Revoke { session, .. } | Step::SignOut { session } | Step::Rest { session } => pick(session, self.sessions.len()),
            Step::Authorize { app } | Step::SwitchApp { app } => Some(*app),
            Step::SignIn | Step::Everywhere | Step::SwitchUser => Some(0),
        };
        let Some(place) = place else { return Ok(()) };
        match step {
            Step::Authorize { .. } => self.authorize(place).await,
            Step::Exchange { right_app, right_verifier, .. } => self.exchange(place, *right_app, *right_verifier).await,
            Step::SignIn => self.sign_in().await,
            Step::Refresh { right_door, .. } => self.refresh(place, *right_door).await,
            Step::Use { .. } => self.use_token(place).await,
            Step::Revoke { by_refresh, own, .. } => self.revoke(place, *by_refresh, *own).await,
            Step::SignOut { .. } => self.sign_out(place).await,
            Step::Everywhere => self.everywhere().await,
            Step::SwitchUser => self.switch_user().await,
            Step::SwitchApp { .. } => self.switch_app(place).await,
            Step::Lapse { .. } => self.lapse(place).await,
            Step::Age { .. } => self.age(place).await,
            Step::Rest { .. } => self.rest(place).await,
        }
    }

    fn opened(&mut self, app: Option<usize>, told: &Json) {
        let session = self.sessions.len();
        let access = self.received(session, told);
        self.sessions.push(Session { app, alive: true, rested: false, offline: app == Some(0), access });
    }
    /// The pair of an answer; the place of its access token.
    fn received(&mut self, session: usize, told: &Json) -> usize {
        self.accesses.push(Access { session, text: text(told, "access_token"), ended: None });
        self.refreshes.push(Refresh { session, text: text(told, "refresh_token"), used: None, aged: false, next: None });
        self.accesses.len() - 1
    }
    fn end(&mut self, gone: impl Fn(&Session) -> bool) {
        self.sessions.iter_mut().filter(|session| gone(session)).for_each(|session| session.alive = false);
    }
    fn end_codes(&mut self, gone: impl Fn(&Code) -> bool) {
        self.codes.iter_mut().filter(|code| code.state == Spent::Not && gone(code)).for_each(|code| code.state = Spent::Ended);
    }

    async fn authorize(&mut self, app: usize) -> Judged {
        let url = authorize(self.world, &self.apps[app].1, &[("scope", SCOPES[app])]);
        if !self.enabled || !self.open[app] {
            let page = self.browser.get(&url).await;
            let page = self.browser.follow(page, "http://127.0.0.1:8976/").await;
            let page = match self.open[app] && page.body.contains("password") {
                true => self.browser.submit(&page, &[("email", &self.person.email), ("password", PASSWORD)]).await,
                false => page,
            };
            let got = page.location.is_some_and(|location| location.contains("code="));
            return if got { Err("a code for somebody or something that is closed".into()) } else { Ok(()) };
        }
        let page = through(&mut self.browser, &self.person, &url, &[("decision", "allow")]).await;
        if page.location.is_none() {
            return Err(format!("no code: {} {}", page.status, page.body));
        }
        self.codes.push(Code { app, text: part(&page, "code"), state: Spent::Not });
        Ok(())
    }

    async fn exchange(&mut self, code: usize, right_app: bool, right_verifier: bool) -> Judged {
        let (app, state) = (self.codes[code].app, self.codes[code].state);
        let by = if right_app { app } else { 1 - app };
        let changes = [("code_verifier", "x".repeat(43))];
        let changes: Vec<(&str, &str)> = changes.iter().filter(|_| !right_verifier).map(|(name, value)| (*name, value.as_str())).collect();
        let (status, told) = redeem(self.world, &self.apps[by].1, &self.codes[code].text, &changes).await;
        if !self.open[by] {
            return expect("a closed application", (status, &told), 401);
        }
        if by != app {
            return expect("another's code", (status, &told), 400);
        }
        if state == Spent::Not && right_verifier {
            expect("a good code", (status, &told), 200)?;
            self.codes[code].state = Spent::For(self.sessions.len());
            self.opened(Some(app), &told);
            return Ok(());
        }
        if let Spent::For(session) = state {
            self.sessions[session].alive = false;
        } else {
            self.codes[code].state = Spent::Ended;
        }
        expect("a code that is not good", (status, &told), 400)
    }

    async fn sign_in(&mut self) -> Judged {
        let body = json!({"email": self.person.email, "password": PASSWORD});
        let (status, told) = self.world.post(None, "/sessions/sign-in", body).await;
        if !self.enabled {
            return expect("a closed account", (status, &told), 401);
        }
        expect("signing in", (status, &told), 200)?;
        self.opened(None, &told);
        Ok(())
    }

    /// Its own door is the token endpoint with its application, or the operation for a person's own session.
    async fn refresh(&mut self, token: usize, right_door: bool) -> Judged {
        let Refresh { session, used, aged, next, .. } = self.refreshes[token];
        let grace = used.map(|used| used.elapsed());
        // Too near to the end of the grace to tell.
        if !aged && grace.is_some_and(|since| since + Duration::from_secs(1) > GRACE && since < GRACE + Duration::from_secs(1)) {
            return Ok(());
        }
        let Session { app, alive, rested, offline, .. } = self.sessions[session];
        let door = if right_door { app } else { app.map_or(Some(0), |app| (app == 0).then_some(1)) };
        let text = self.refreshes[token].text.clone();
        let (status, told) = match door {
            None => self.world.post(None, "/sessions/refresh", json!({"refresh_token": text})).await,
            Some(app) => {
                let form = [("grant_type", "refresh_token"), ("client_id", &self.apps[app].1), ("refresh_token", &text)];
                self.world.exchange(None, &form).await
            }
        };
        let refused = match door {
            Some(app) if self.open[app] => 400,
            _ => 401,
        };
        if door != app || !alive || !self.enabled || rested && !offline || door.is_some_and(|app| !self.open[app]) {
            return expect("a refresh token that is not good", (status, &told), refused);
        }
        let fresh = grace.is_some_and(|since| since < GRACE) && !aged && next.is_none_or(|next| self.refreshes[next].used.is_none());
        match used {
            None => {
                expect("a new refresh token", (status, &told), 200)?;
                let old = self.sessions[session].access;
                self.accesses[old].ended = Some(Instant::now());
                self.sessions[session].access = self.received(session, &told);
                self.sessions[session].rested = false;
                let next = self.refreshes.len() - 1;
                (self.refreshes[token].used, self.refreshes[token].next) = (Some(Instant::now()), Some(next));
                Ok(())
            }
            Some(_) if fresh => {
                expect("a lost answer", (status, &told), 200)?;
                let same = next.is_some_and(|next| self.refreshes[next].text == told["refresh_token"])
                    && self.accesses[self.sessions[session].access].text == told["access_token"];
                if same { Ok(()) } else { Err("a lost answer is given again, not another".into()) }
            }
            Some(_) => {
                self.sessions[session].alive = false;
                expect("a refresh token that was used", (status, &told), refused)
            }
        }
    }

    async fn use_token(&mut self, token: usize) -> Judged {
        let Access { session, text, ended } = &self.accesses[token];
        let held = &self.sessions[*session];
        let good = held.alive && !held.rested && held.access == token && self.enabled && held.app.is_none_or(|app| self.open[app]);
        let (status, told) = self.world.get(Some(text), "/patients?limit=1").await;
        if !good && held.alive && ended.is_some_and(|at| at.elapsed() < FELT) {
            return if [200, 401].contains(&status) { Ok(()) } else { Err(format!("a token that has just ended: {status}")) };
        }
        expect("an access token", (status, &told), if good { 200 } else { 401 })
    }

    async fn revoke(&mut self, session: usize, by_refresh: bool, own: bool) -> Judged {
        let Some(app) = self.sessions[session].app else { return Ok(()) };
        let by = if own { app } else { 1 - app };
        let newest = self.refreshes.iter().rfind(|token| token.session == session).map(|token| &token.text);
        let token = if by_refresh { newest.unwrap() } else { &self.accesses[self.sessions[session].access].text };
        let form = [("client_id", self.apps[by].1.as_str()), ("token", token)];
        let answer = self.world.http.post(format!("{}/oauth2/revoke", self.world.base_url)).form(&form).send().await.unwrap();
        let wanted = if self.open[by] { 200 } else { 401 };
        if own && self.open[by] {
            self.sessions[session].alive = false;
        }
        expect("revoking", (answer.status().as_u16(), &Json::Null), wanted)
    }

    /// By the person, with a token of that session.
    async fn sign_out(&mut self, session: usize) -> Judged {
        let held = &self.sessions[session];
        if held.app.is_some() || held.rested {
            return Ok(());
        }
        let (status, told) = self.world.post(Some(&self.accesses[held.access].text), "/sessions/sign-out", json!({})).await;
        let wanted = if held.alive && self.enabled { 204 } else { 401 };
        self.sessions[session].alive = false;
        expect("signing out", (status, &told), wanted)
    }

    async fn everywhere(&mut self) -> Judged {
        if !self.enabled {
            return Ok(());
        }
        let mut browser = Browser::new();
        let page = browser.get(&format!("{}/signin", self.world.base_url)).await;
        browser.submit(&page, &[("email", &self.person.email), ("password", PASSWORD)]).await;
        let page = browser.get(&format!("{}/signin/security", self.world.base_url)).await;
        let page = browser.submit(&page.with_form("/signin/security/everywhere"), &[]).await;
        self.end(|_| true);
        self.end_codes(|_| true);
        expect("signing out everywhere", (page.status, &Json::Null), 303)
    }

    async fn switch_user(&mut self) -> Judged {
        self.enabled = !self.enabled;
        let path = format!("/users/{}/{}", self.person.id, if self.enabled { "enable" } else { "disable" });
        let (status, told) = self.world.post(Some(&self.admin), &path, json!({})).await;
        self.end(|_| true);
        self.end_codes(|_| true);
        expect("closing or opening an account", (status, &told), 200)
    }

    async fn switch_app(&mut self, app: usize) -> Judged {
        self.open[app] = !self.open[app];
        let path = format!("/api-clients/{}/{}", self.apps[app].0, if self.open[app] { "enable" } else { "disable" });
        let (status, told) = self.world.post(Some(&self.admin), &path, json!({})).await;
        self.end(|session| session.app == Some(app));
        self.end_codes(|code| code.app == app);
        expect("closing or opening an application", (status, &told), 200)
    }

    async fn lapse(&mut self, code: usize) -> Judged {
        let past = "update enamel.oauth_authorizations set code_expires_at = now() where code_hash = $1";
        self.truth.execute(past, &[&hash(Kind::Code, &self.codes[code].text)]).await.unwrap();
        if self.codes[code].state == Spent::Not {
            self.codes[code].state = Spent::Ended;
        }
        Ok(())
    }

    async fn age(&mut self, token: usize) -> Judged {
        let past = "update enamel.refresh_tokens set used_at = used_at - interval '11 seconds' where token_hash = $1";
        self.truth.execute(past, &[&hash(Kind::Refresh, &self.refreshes[token].text)]).await.unwrap();
        self.refreshes[token].aged = self.refreshes[token].used.is_some();
        Ok(())
    }

    async fn rest(&mut self, session: usize) -> Judged {
        let access = self.sessions[session].access;
        let past = "update enamel.sessions set last_activity_at = now() - interval '1 day' where token_hash = $1 and revoked_at is null";
        self.truth.execute(past, &[&hash(Kind::Access, &self.accesses[access].text)]).await.unwrap();
        self.sessions[session].rested = true;
        self.accesses[access].ended = Some(Instant::now());
        Ok(())
    }
}

fn hash(kind: Kind, text: &str) -> Vec<u8> {
    Token::parse(kind, text).unwrap().hash().as_bytes().to_vec()
}

#[test]
fn codes_tokens_and_sessions_live_and_end_as_promised() {
    let (world, clinic, admin) = world::with(async |world| {
        let clinic = world.tenant("SOLO_PRACTICE", None).await;
        let admin = clinic.token("TENANT_ADMIN").await;
        (world, clinic, admin)
    });
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let mut runner =
        TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha));
    let ran = runner.run(&steps(), |steps| {
        world::runtime().block_on(async {
            let mut case = Case::new(world, &clinic, &admin).await;
            for (place, step) in steps.iter().enumerate() {
                case.take(step).await.map_err(|why| TestCaseError::fail(format!("at step {place}, {step:?}: {why}")))?;
            }
            // Whatever happened: each token is what the model says it is.
            for token in 0..case.accesses.len() {
                case.use_token(token).await.map_err(|why| TestCaseError::fail(format!("at the end: {why}")))?;
            }
            Ok(())
        })
    });
    if let Err(TestError::Fail(why, steps)) = ran {
        panic!("{why}\nafter\n{}", steps.iter().map(|step| format!("  {step:?}\n")).collect::<String>());
    }
    ran.unwrap();
}
