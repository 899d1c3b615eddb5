//! Letters on their way out, to mail servers nobody here wrote: each arrives once, over a line that is safe, or its row says why not.

use crate::world::{self, World, packages};
use enamel::identity::delivery;
use enamel::identity::mail::{self, About, Letter};
use enamel::kernel::Kernel;
use enamel::kernel::config::{MailConfig, MailTls};
use enamel::kernel::context::{Context, PLATFORM_TENANT, Plane};
use enamel::kernel::db::Connector;
use enamel::server::start::{self, Prepared};
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use uuid::Uuid;

/// With a line of one dot, and one that is longer than mail likes.
const TEXT: &str = "Grüße\n\n.\nhttps://clinic.example/?token=0123456789012345678901234567890123456789012345678901234567890123456789-x";

/// The servers of `aiosmtpd/peer.py`, which end with this value.
struct Peer {
    servers: Servers,
    lines: Lines<BufReader<ChildStdout>>,
    _input: ChildStdin,
    _process: Child,
}

impl Peer {
    async fn start() -> Peer {
        let dir = packages::pip("identity/aiosmtpd", &["peer.py"]).await;
        let home = world::scratch("mail");
        let mut process = Command::new(dir.join("venv/bin/python"))
            .arg(dir.join("peer.py"))
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It writes a trace for each handshake that fails.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ports = serde_json::from_str(&lines.next_line().await.unwrap().expect("the mail servers start")).unwrap();
        let servers = Servers { ports, authority: home.join("authority.pem") };
        Peer { servers, lines, _input: process.stdin.take().unwrap(), _process: process }
    }

    /// What it was given next, which it told before we were told that it was taken.
    async fn taken(&mut self) -> Json {
        let line = tokio::time::timeout(Duration::from_secs(10), self.lines.next_line()).await.expect("a letter arrives");
        serde_json::from_str(&line.unwrap().unwrap()).unwrap()
    }
    async fn nothing(&mut self) {
        let line = tokio::time::timeout(Duration::from_millis(200), self.lines.next_line()).await;
        assert!(line.is_err(), "{line:?}");
    }
}

#[derive(Clone)]
struct Servers {
    ports: Json,
    authority: PathBuf,
}

impl Servers {
    fn mail(&self, server: &str, tls: MailTls) -> MailConfig {
        MailConfig {
            host: Some("127.0.0.1".into()),
            port: self.ports[server].as_u64().unwrap() as u16,
            tls,
            tls_ca: Some(self.authority.clone()),
            user: None,
            password: None,
            from: Some("Zahnärzte <letters@clinic.example>".into()),
            folder: None,
        }
    }
}

/// An installation of its own: the letters of the world's other tests are not delivered.
struct House {
    world: &'static World,
    database: &'static str,
}

impl House {
    async fn new(world: &'static World, database: &'static str) -> House {
        world.empty_database(database).await;
        let house = House { world, database };
        start::migrate_as(world.cluster().superuser_config(database), &house.config(None)).await.unwrap();
        house
    }
    fn config(&self, mail: Option<MailConfig>) -> enamel::kernel::config::Config {
        let mut config = self.world.config.clone();
        config.database.url = config.database.url.replace("dbname=world", &format!("dbname={}", self.database));
        config.mail = mail.unwrap_or(config.mail);
        config
    }
    /// A server that does what it is told to, and nothing by itself.
    async fn server(&self, mail: Option<MailConfig>) -> Prepared {
        start::prepare(self.config(mail)).await.unwrap()
    }
    async fn truth(&self) -> tokio_postgres::Client {
        Connector { config: self.world.cluster().superuser_config(self.database), tls: None }.connect().await.unwrap()
    }
    async fn row(&self, id: Uuid) -> Json {
        let row = "select to_jsonb(l) from enamel.letters l where l.resource_id = $1";
        self.truth().await.query_one(row, &[&id]).await.unwrap().get(0)
    }
    /// What waits is due.
    async fn wait(&self) {
        self.truth().await.execute("update enamel.letters set next_attempt_at = now() where state = 'WAITING'", &[]).await.unwrap();
    }
}

/// About what it is.
async fn write(kernel: &Kernel, tenant: Uuid, to: &str) -> Uuid {
    let about = About {
        kind: "INVITATION",
        table: "member_invitations",
        id: Uuid::now_v7(),
        good_until: chrono::Utc::now() + chrono::TimeDelta::hours(1),
    };
    let letter = Letter { to: to.into(), subject: "Einladung: Zähne & Ärzte".into(), text: TEXT.into() };
    let scope = kernel.door.open(&Context::system(Plane::Jobs, Some(tenant))).await.unwrap();
    mail::post(scope, kernel, &about, &letter).await.unwrap();
    about.id
}

#[test]
fn a_letter_arrives_once_whichever_server_delivers_it() {
    world::with(async |world| {
        let (house, mut peer) = (House::new(world, "letters_once").await, Peer::start().await);
        let mail = peer.servers.mail("starttls", MailTls::Starttls);
        let (one, two) = (house.server(Some(mail.clone())).await, house.server(Some(mail)).await);
        let mut written = Vec::new();
        for nth in 0..20 {
            written.push(write(&one.kernel, PLATFORM_TENANT, &format!("person-{nth}@people.example")).await);
        }
        let (first, second) = tokio::join!(delivery::carry_on(&one.kernel), delivery::carry_on(&two.kernel));
        first.and(second).unwrap();
        let (mut ids, mut mailboxes) = (HashSet::new(), HashSet::new());
        for _ in &written {
            let taken = peer.taken().await;
            assert_eq!(taken["Subject"], "Einladung: Zähne & Ärzte");
            assert_eq!(taken["From"], "Zahnärzte <letters@clinic.example>");
            assert_eq!((&taken["Auto-Submitted"], &taken["mailboxes"]), (&json!("auto-generated"), &json!([taken["To"]])));
            let text = taken["text"].as_str().unwrap().replace("\r\n", "\n");
            assert_eq!(text.trim_end(), TEXT);
            assert!(taken["raw"].as_str().unwrap().is_ascii() && taken["Date"].is_string());
            ids.insert(taken["Message-ID"].to_string());
            mailboxes.insert(taken["To"].to_string());
        }
        assert_eq!((ids.len(), mailboxes.len()), (20, 20), "once");
        peer.nothing().await;
        for id in written {
            let row = house.row(id).await;
            assert_eq!((&row["state"], &row["attempts"], &row["letter_enc"]), (&json!("SENT"), &json!(1), &Json::Null), "{row}");
        }
        one.stop().await;
        two.stop().await;
    });
}

#[test]
fn what_the_mail_server_says_decides_what_becomes_of_a_letter() {
    world::with(async |world| {
        let (house, mut peer) = (House::new(world, "letters_said").await, Peer::start().await);
        let server = house.server(Some(peer.servers.mail("implicit", MailTls::Implicit))).await;
        let kernel = &server.kernel;
        let (busy, gone) =
            (write(kernel, PLATFORM_TENANT, "busy2@people.example").await, write(kernel, PLATFORM_TENANT, "gone@people.example").await);
        for attempt in 1..=2 {
            house.wait().await;
            delivery::carry_on(kernel).await.unwrap();
            let row = house.row(busy).await;
            assert_eq!((&row["state"], &row["failure"], &row["reply_code"]), (&json!("WAITING"), &json!("DEFERRED"), &json!(451)), "{row}");
            assert_eq!(row["attempts"], attempt);
            delivery::carry_on(kernel).await.unwrap();
            assert_eq!(house.row(busy).await["attempts"], attempt, "not before its time");
        }
        house.wait().await;
        delivery::carry_on(kernel).await.unwrap();
        assert_eq!(peer.taken().await["To"], "busy2@people.example");
        let row = house.row(busy).await;
        assert_eq!((&row["state"], &row["failure"], &row["attempts"]), (&json!("SENT"), &Json::Null, &json!(3)), "{row}");
        let row = house.row(gone).await;
        assert_eq!((&row["state"], &row["failure"], &row["reply_code"]), (&json!("FAILED"), &json!("REFUSED"), &json!(550)), "{row}");
        assert_eq!((&row["attempts"], &row["letter_enc"]), (&json!(1), &Json::Null), "given up at once");

        // What is worth nothing any more is not sent, and told as such where nobody sends letters too.
        for somebody in [Some(kernel.clone()), None] {
            let late = write(kernel, PLATFORM_TENANT, "late@people.example").await;
            let good = write(kernel, PLATFORM_TENANT, "good@people.example").await;
            let past = "update enamel.letters set good_until = now() where resource_id = $1";
            house.truth().await.execute(past, &[&late]).await.unwrap();
            match &somebody {
                Some(kernel) => delivery::carry_on(kernel).await.unwrap(),
                None => delivery::carry_on(&house.server(None).await.kernel).await.unwrap(),
            }
            assert_eq!(house.row(late).await["failure"], "TOO_LATE");
            match somebody {
                Some(_) => assert_eq!(peer.taken().await["To"], "good@people.example"),
                None => peer.nothing().await,
            }
            house.truth().await.execute("delete from enamel.letters where resource_id = $1", &[&good]).await.unwrap();
        }
        let swept = "update enamel.letters set good_until = now() - interval '8 days' where resource_id = $1";
        house.truth().await.execute(swept, &[&gone]).await.unwrap();
        enamel::server::worker::sweep(kernel).await.unwrap();
        let left: Vec<Uuid> =
            house.truth().await.query("select resource_id from enamel.letters", &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(left.contains(&busy) && !left.contains(&gone), "a week later nobody needs to know");
        server.stop().await;
    });
}

#[test]
fn no_letter_leaves_on_a_line_that_is_not_safe() {
    world::with(async |world| {
        let (house, mut peer) = (House::new(world, "letters_safe").await, Peer::start().await);
        let servers = peer.servers.clone();
        let mut unknown = servers.mail("starttls", MailTls::Starttls);
        unknown.tls_ca = None;
        let signed_in = |password: &str| MailConfig {
            user: Some("enamel".into()),
            password: Some(password.into()),
            ..servers.mail("signed_in", MailTls::Starttls)
        };
        for (what, mail, failure) in [
            ("expired", servers.mail("late", MailTls::Starttls), "UNREACHABLE"),
            ("another's certificate", servers.mail("elsewhere", MailTls::Starttls), "UNREACHABLE"),
            ("an authority nobody knows", unknown, "UNREACHABLE"),
            ("no STARTTLS", servers.mail("plain", MailTls::Starttls), "UNREACHABLE"),
            ("no TLS at all", servers.mail("plain", MailTls::Implicit), "UNREACHABLE"),
            ("the wrong password", signed_in("something else"), "DEFERRED"),
        ] {
            let server = house.server(Some(mail)).await;
            let id = write(&server.kernel, PLATFORM_TENANT, "somebody@people.example").await;
            delivery::carry_on(&server.kernel).await.unwrap();
            let row = house.row(id).await;
            assert_eq!((&row["state"], &row["failure"]), (&json!("WAITING"), &json!(failure)), "{what}: {row}");
            peer.nothing().await;
            server.stop().await;
        }
        house.truth().await.execute("delete from enamel.letters", &[]).await.unwrap();
        for (name, mail) in [("signed_in", signed_in("letters only, please")), ("plain", servers.mail("plain", MailTls::None))] {
            let server = house.server(Some(mail)).await;
            write(&server.kernel, PLATFORM_TENANT, "somebody@people.example").await;
            delivery::carry_on(&server.kernel).await.unwrap();
            assert_eq!(peer.taken().await["at"], name, "the control");
            server.stop().await;
        }
    });
}

#[test]
fn a_tenant_that_writes_much_keeps_nobody_waiting() {
    world::with(async |world| {
        let house = House::new(world, "letters_turns").await;
        let (folder, busy, other) = (world::scratch("mailbox").join("letters"), Uuid::now_v7(), Uuid::now_v7());
        let mail =
            MailConfig { host: None, folder: Some(folder.clone()), from: Some("letters@clinic.example".into()), ..house.config(None).mail };
        let server = house.server(Some(mail)).await;
        for tenant in [busy, other] {
            let made = "insert into enamel.tenants (id, name, slug, type, root_tenant_id, jurisdiction, default_currency, time_zone)
                        values ($1, $2, $2, 'SOLO_PRACTICE', $1, 'DE', 'EUR', 'Europe/Berlin')";
            house.truth().await.execute(made, &[&tenant, &format!("t-{}", tenant.simple())]).await.unwrap();
        }
        for nth in 0..50 {
            write(&server.kernel, busy, &format!("{nth}@people.example")).await;
        }
        let last = write(&server.kernel, other, "last@people.example").await;
        delivery::carry_on(&server.kernel).await.unwrap();
        assert_eq!(house.row(last).await["state"], "SENT", "a round is no longer than forty letters");
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        let one = std::fs::read_to_string(&files[0]).unwrap();
        assert!(one.contains(&TEXT.replace('\n', "\r\n")), "to be read as it stands: {one}");
        assert!(files.len() == 40 && files.iter().all(|file| file.extension().is_some_and(|end| end == "eml")), "{files:?}");
        server.stop().await;
    });
}

#[test]
fn an_administrator_sees_what_became_of_their_letters_and_none_of_their_words() {
    world::with(async |world| {
        let (clinic, other) = (world.tenant("SOLO_PRACTICE", None).await, world.tenant("SOLO_PRACTICE", None).await);
        let about = write(&world.kernel, clinic.id, "gone@people.example").await;
        let fails =
            "update enamel.letters set state = 'FAILED', failure = 'REFUSED', reply_code = 550, letter_enc = null where resource_id = $1";
        world.truth().await.execute(fails, &[&about]).await.unwrap();
        let path = format!("/letters?state=FAILED&resource_id={about}");
        let (status, page) = world.get(Some(&clinic.token("TENANT_ADMIN").await), &path).await;
        assert_eq!(
            (status, &page["items"][0]["failure"], &page["items"][0]["reply_code"]),
            (200, &json!("REFUSED"), &json!(550)),
            "{page}"
        );
        assert!(!page.to_string().contains("gone@") && page["items"][0].get("letter").is_none());
        assert_eq!(world.get(Some(&other.token("TENANT_ADMIN").await), &path).await.1["items"], json!([]));
        assert_eq!(world.get(Some(&clinic.token("CLINICIAN").await), &path).await.0, 403);
    });
}
