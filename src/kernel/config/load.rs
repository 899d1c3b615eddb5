//! From file and environment to a [`Config`], with errors of one line that name the key and repeat no value.

use std::{fmt, path::Path};

use figment::{
    error::Kind,
    providers::{Format, Toml},
    value::{Dict, Value},
};
use zeroize::{Zeroize, Zeroizing};

use super::{Config, Key, TABLES};

const PREFIX: &str = "ENAMEL_";

/// Why the configuration cannot be used, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the file, if one is given, and then the environment of the process over it.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let unreadable = |path: &Path, error: std::io::Error| ConfigError::new(format!("{}: {}", path.display(), error.kind()));
        let file = match path {
            Some(path) => Zeroizing::new(std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?),
            None => Zeroizing::default(),
        };
        // A variable that is not Unicode cannot be one of ours; std::env::vars would panic on it.
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::from_parts(&file, variables)
    }

    /// As [`Config::load`], from a text and variables that are already in hand.
    pub fn from_parts(toml: &str, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut whole = Wiped(Value::from(Dict::new()));
        for layer in [parsed(&defaults())?, parsed(toml)?, environment(variables)?] {
            lay_over(&mut whole.0, layer);
        }
        let config: Self = whole.0.deserialize().map_err(one_line)?;
        config.check()
    }

    fn check(self) -> Result<Self, ConfigError> {
        if self.server.tls_cert.is_some() != self.server.tls_key.is_some() {
            return Err(ConfigError::new("server.tls_cert and server.tls_key: one is set without the other"));
        }
        if self.server.public_url.ends_with('/') {
            return Err(ConfigError::new("server.public_url: ends with a slash"));
        }
        for (name, value) in [
            ("server.request_deadline_s", self.server.request_deadline_s),
            ("server.connections_max", self.server.connections_max),
            ("server.header_limit_bytes", self.server.header_limit_bytes),
            ("limits.tenant_share_percent", self.limits.tenant_share_percent),
        ] {
            if value == 0 {
                return Err(ConfigError::new(format!("{name}: is zero")));
            }
        }
        self.mail.check()?;
        Ok(self)
    }
}

/// The defaults of every table as one TOML text, the lowest layer.
fn defaults() -> String {
    let mut text = String::new();
    for (table, keys) in TABLES {
        text.push_str(&format!("[{table}]\n"));
        for key in keys.iter().filter(|key| !key.default.is_empty()) {
            text.push_str(&format!("{} = {}\n", key.name, key.default));
        }
    }
    text
}

/// What the layers say together. Secrets stand in it as text, so it is wiped when the configuration has been read from it.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(_, text) => text.zeroize(),
        Value::Dict(_, members) => members.values_mut().for_each(wipe),
        Value::Array(_, items) => items.iter_mut().for_each(wipe),
        Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) => {}
    }
}

/// A higher layer replaces what a lower one says, key by key.
fn lay_over(into: &mut Value, layer: Value) {
    match (into, layer) {
        (Value::Dict(_, held), Value::Dict(_, more)) => {
            for (key, value) in more {
                lay_over(held.entry(key).or_insert_with(|| Value::from(Dict::new())), value);
            }
        }
        (into, layer) => wipe(&mut std::mem::replace(into, layer)),
    }
}

/// The parser's message ends with the line it stumbled over; only what comes before is told.
fn parsed(toml: &str) -> Result<Value, ConfigError> {
    let read = Toml::from_str::<Dict>(toml).map(Value::from);
    read.map_err(|error| ConfigError::new(error.to_string().lines().next().unwrap_or_default()))
}

/// `ENAMEL_SERVER__LISTEN` is `server.listen`. Names without a double underscore belong to the command line.
fn environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Value, ConfigError> {
    let mut whole = Dict::new();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let text = Zeroizing::new(text);
        let path = rest.to_ascii_lowercase().replace("__", ".");
        if !path.contains('.') {
            refuse_single_underscore(&name, &path)?;
            continue;
        }
        let Some(key) = find(&path) else {
            return Err(ConfigError::new(format!("{path}: unknown key (environment variable {name})")));
        };
        let plain = || Value::from(text.as_str());
        put(&mut whole, &path, if key.is_text() { plain() } else { text.parse().unwrap_or_else(|_| plain()) });
    }
    Ok(Value::from(whole))
}

fn find(path: &str) -> Option<&'static Key> {
    let (table, name) = path.rsplit_once('.')?;
    let (_, keys) = TABLES.iter().find(|(known, _)| *known == table)?;
    keys.iter().find(|key| key.name == name)
}

/// `ENAMEL_SERVER_LISTEN` would otherwise be ignored in silence.
fn refuse_single_underscore(name: &str, path: &str) -> Result<(), ConfigError> {
    for (table, keys) in TABLES {
        for key in *keys {
            let meant = format!("{table}.{}", key.name);
            if meant.replace('.', "_") == path {
                let right = meant.to_ascii_uppercase().replace('.', "__");
                return Err(ConfigError::new(format!("{name}: write {PREFIX}{right}")));
            }
        }
    }
    Ok(())
}

fn put(into: &mut Dict, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            into.insert(path.to_owned(), value);
        }
        Some((table, rest)) => {
            let child = into.entry(table.to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, child) = child {
                put(child, rest, value);
            }
        }
    }
}

/// figment's own text repeats the value it found; this one says only what was expected and where.
fn one_line(error: figment::Error) -> ConfigError {
    let mut path = error.path.clone();
    let text = match &error.kind {
        Kind::Message(text) => text.lines().next().unwrap_or_default().to_owned(),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => format!("expected {expected}"),
        Kind::InvalidLength(_, expected) => format!("expected {expected}"),
        Kind::UnknownVariant(_, known) => format!("expected one of {}", known.join(", ")),
        Kind::UnknownField(name, _) => {
            // An unknown table is not in the path yet, an unknown key is.
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            "unknown key".to_owned()
        }
        Kind::MissingField(name) => {
            path.push(name.to_string());
            "is required and has no default".to_owned()
        }
        Kind::DuplicateField(_) => "stands twice".to_owned(),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "number out of range".to_owned(),
        Kind::Unsupported(_) | Kind::UnsupportedKey(..) => "a value of this type is not taken here".to_owned(),
    };
    ConfigError::new(if path.is_empty() { text } else { format!("{}: {text}", path.join(".")) })
}
