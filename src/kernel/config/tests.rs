use super::*;

const MINIMUM: &str = r#"
[database]
url = "postgres:///enamel?host=/run/postgresql"
secret = "k3y-for-the-database-of-the-tests"
[secrets]
seal_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
envelope_key = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
audit_signing_key = "AgECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
password_pepper = "AwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[storage]
endpoint = "http://127.0.0.1:9000"
access_key = "enamel"
secret_key = "the-object-stores-own-key"
"#;

impl Config {
    /// A configuration for tests; `toml` may set more.
    pub(crate) fn sample(toml: &str) -> Self {
        load(toml, &[]).unwrap()
    }
}

fn load(toml: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Config::from_parts(&format!("{MINIMUM}{toml}"), variables).map_err(|error| error.to_string())
}

#[test]
fn the_minimum_is_completed_by_defaults() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!((config.server.body_limit_bytes, config.server.bundle_limit_bytes), (1 << 20, 20 << 20));
    assert_eq!((config.database.pools.staff, config.database.tls), (8, DatabaseTls::Disable));
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
    assert_eq!(config.refuse_weak(), Ok(()));
}

#[test]
fn the_environment_stands_over_the_file() {
    let variables = [
        ("ENAMEL_SERVER__LISTEN", "0.0.0.0:80"),
        ("ENAMEL_DATABASE__POOLS__STAFF", "31"),
        ("ENAMEL_DATABASE__SECRET", "001234567890123456"),
        ("ENAMEL_DATABASE__ADMIN_URL", "postgres://root:hunter2@db/enamel"),
        ("ENAMEL_SERVER__TRUSTED_PROXIES", r#"["10.0.0.0/8"]"#),
        ("ENAMEL_DATA_DIR", "is the command line's"),
        ("PATH", "/bin"),
    ];
    let config = load("[server]\nlisten = \"127.0.0.1:1\"", &variables).unwrap();
    assert_eq!(config.server.listen, "0.0.0.0:80".parse().unwrap());
    assert_eq!(config.database.pools.staff, 31);
    assert_eq!(config.database.secret.expose_secret(), "001234567890123456", "digits stay a text");
    assert!(config.database.admin_url.is_some() && !format!("{config:?}").contains("hunter2"));
    assert!(config.server.trusted_proxies[0].contains("10.9.9.9".parse().unwrap()));
}

#[test]
fn letters_leave_encrypted_or_not_at_all() {
    let mail = |text: &str| load(&format!("[mail]\n{text}"), &[]).map(|config| config.mail.tls);
    let from = "from = \"Enamel <enamel@clinic.example>\"\n";
    assert_eq!(mail(&format!("{from}host = \"mail.clinic.example\"")), Ok(MailTls::Starttls));
    assert_eq!(mail(&format!("{from}host = \"127.0.0.1\"\ntls = \"none\"")), Ok(MailTls::None));
    for (text, key) in [
        (format!("{from}host = \"mail.clinic.example\"\ntls = \"none\""), "mail.tls"),
        (format!("{from}host = \"127.0.0.1\"\nfolder = \"letters\""), "mail.host and mail.folder"),
        ("host = \"mail.clinic.example\"".to_owned(), "mail.from"),
        (format!("{from}host = \"mail.clinic.example\"\nuser = \"enamel\""), "mail.user and mail.password"),
    ] {
        let told = mail(&text).unwrap_err();
        assert!(told.starts_with(key), "{told}");
    }
}

#[test]
fn an_unknown_key_is_refused_by_its_name() {
    assert_eq!(load("[server]\nlisten_on = \"x\"", &[]).unwrap_err(), "server.listen_on: unknown key");
    assert_eq!(load("[sever]\nlisten = 1", &[]).unwrap_err(), "sever: unknown key");
    assert_eq!(
        load("", &[("ENAMEL_SERVER__LISTN", "x")]).unwrap_err(),
        "server.listn: unknown key (environment variable ENAMEL_SERVER__LISTN)"
    );
    assert_eq!(load("", &[("ENAMEL_SERVER_LISTEN", "x")]).unwrap_err(), "ENAMEL_SERVER_LISTEN: write ENAMEL_SERVER__LISTEN");
}

#[test]
fn a_missing_key_is_named() {
    let nothing = Config::from_parts("", []).unwrap_err().to_string();
    assert_eq!(nothing, "database.url: is required and has no default");
}

#[test]
fn errors_are_one_line_and_repeat_no_value() {
    let secret = "hunter2hunter2hunter2";
    for (toml, variables) in [
        (format!("[server]\nlisten = \"{secret}\""), vec![]),
        (format!("[server]\nconnections_max = \"{secret}\""), vec![]),
        (format!("[telemetry]\nlog_format = \"{secret}\""), vec![]),
        (format!("[server]\ntrusted_proxies = [\"{secret}\"]"), vec![]),
        (format!("[server]\npublic_url = \"{secret}/\""), vec![]),
        (format!("[server]\ntls_cert = \"{secret}\""), vec![]),
        (format!("[server\nlisten = \"{secret}\""), vec![]),
        (String::new(), vec![("ENAMEL_SECRETS__SEAL_KEY", secret)]),
        (String::new(), vec![("ENAMEL_SERVER__CONNECTIONS_MAX", secret)]),
    ] {
        let error = load(&toml, &variables).unwrap_err();
        assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
        assert!(error.contains("server") || error.contains("telemetry") || error.contains("secrets") || error.contains("line"), "{error}");
    }
    let numeric = load("[identity]\nsession_idle_s = -1", &[]).unwrap_err();
    assert!(numeric.starts_with("identity.session_idle_s: ") && !numeric.contains("-1"), "{numeric}");
}

#[test]
fn debug_prints_no_secret() {
    let printed = format!("{:?}", load("", &[]).unwrap());
    for secret in ["k3y-for-the-database", "the-object-stores-own-key", "AAECAw"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn weak_secrets_are_refused_by_name() {
    let weak = |name: &str, value: &str| load("", &[(name, value)]).unwrap().refuse_weak().unwrap_err().to_string();
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(weak("ENAMEL_SECRETS__ENVELOPE_KEY", zeros).starts_with("secrets.envelope_key: is one byte repeated"));
    let same = weak("ENAMEL_SECRETS__ENVELOPE_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    assert_eq!(same, "secrets.envelope_key: is the same key as secrets.seal_key");
    assert_eq!(weak("ENAMEL_DATABASE__SECRET", "change-me-change-me"), "database.secret: is a placeholder");
    assert_eq!(weak("ENAMEL_STORAGE__SECRET_KEY", "short"), "storage.secret_key: is shorter than 16 characters");
}

#[test]
fn every_plane_has_a_password_of_its_own() {
    let database = load("", &[]).unwrap().database;
    let staff = database.plane_password("enamel_staff");
    assert_eq!(staff.expose_secret().len(), 43);
    assert_eq!(staff.expose_secret(), database.plane_password("enamel_staff").expose_secret());
    assert_ne!(staff.expose_secret(), database.plane_password("enamel_patient").expose_secret());
}

/// serde knows which keys a struct takes: an unknown one makes it say so.
#[test]
fn the_reference_has_every_key() {
    let reference = Config::reference();
    for (table, keys) in TABLES {
        let children: Vec<&str> = TABLES.iter().filter_map(|(other, _)| other.strip_prefix(&format!("{table}."))).collect();
        let figment = figment::Figment::from(figment::providers::Serialized::default(&format!("{table}.zzz"), 1));
        let error = figment.extract::<Config>().unwrap_err();
        let figment::error::Kind::UnknownField(_, taken) = error.kind else { panic!("{table}: {error}") };
        for name in taken.iter().filter(|name| !children.contains(name)) {
            assert!(keys.iter().any(|key| key.name == *name), "{table}.{name} is not declared");
            assert!(reference.contains(&format!("| `{table}.{name}` |")), "{table}.{name} is not in the reference");
        }
        assert_eq!(taken.len(), keys.len() + children.len());
    }
    assert!(reference.lines().all(|line| line.split('|').filter(|cell| !cell.trim().is_empty()).count() == 3 || line.starts_with("|---")));
}

/// The example stands for all keys, shows the true defaults, loads, and cannot be served as it is.
#[test]
fn the_example_file_is_whole_and_useless_as_it_stands() {
    let example = include_str!("../../../deploy/enamel.toml.example");
    let config = Config::from_parts(example, []).unwrap();
    assert!(config.refuse_weak().is_err());
    for (table, keys) in TABLES {
        let (_, section) = example.split_once(&format!("[{table}]")).expect(table);
        let section = section.split("\n[").next().unwrap();
        for key in *keys {
            let line = section.lines().find(|line| line.trim_start_matches("# ").starts_with(&format!("{} = ", key.name)));
            let line = line.unwrap_or_else(|| panic!("{table}.{} is missing", key.name));
            let shown = !line.starts_with('#') || key.default.is_empty();
            let default = format!("# {} = {}", key.name, key.default);
            let true_default = line == default || line.starts_with(&format!("{default} "));
            assert!(shown || true_default, "{table}.{}: another default is shown", key.name);
        }
    }
}
