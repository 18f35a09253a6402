//! Files with secrets that other users of this machine may read or write.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::secret_file::SecretFile;
use super::setting_error::{ConfigError, SettingError};
use super::setting_source::EffectiveSetting;
use super::{Config, process_environment};
use crate::model::contains_secret;

/// Others may read.
const OTHERS_READ: u32 = 0o004;
/// Others, or members of the group, may write. A group that may only read is deliberate:
/// it is how a service's user gets at a file of root's.
const OTHERS_WRITE: u32 = 0o022;

impl Config {
    /// Files with secrets that others may read or write, one sentence each. Files that
    /// systemd passes are its own concern; a missing file is reported by who needs it.
    pub fn exposed_files(&self) -> Vec<String> {
        let token = self.upstream.token_sources.own_file();
        let files = self
            .secret_files()
            .filter(|file| !file.is_credential)
            .map(|file: &SecretFile| file.path.as_path());
        let mut warnings: Vec<String> =
            token.into_iter().chain(files).filter_map(exposed).collect();
        warnings.extend(self.exposed_configuration());
        warnings.sort();
        warnings.dedup();
        warnings
    }

    fn secret_files(&self) -> impl Iterator<Item = &SecretFile> {
        let database = self.database.password_file.iter();
        let proxy = self.upstream.proxy_password_file.iter();
        let http = self.http.password_file.iter();
        let collector = self.log.otlp.iter().flat_map(|otlp| &otlp.headers_file);
        let sinks = self.alerts.sinks.iter();
        database
            .chain(proxy)
            .chain(http)
            .chain(collector)
            .chain(sinks.flat_map(|sink| sink.kind.secret_files()))
    }

    /// Registers all secrets that can be read, so that no outgoing text contains them,
    /// whatever the command needs them for. A secret that cannot be read is reported by
    /// who needs it.
    pub fn keep_secrets(&self) {
        for file in self.secret_files() {
            let _ = file.lines();
        }
        let _ = self.upstream.token();
    }

    /// Refuses names and values that are shown, stored or sent and contain a registered
    /// secret, which was put in the wrong place. Call it after [`keep_secrets`](Self::keep_secrets).
    ///
    /// # Errors
    /// [`ConfigError`] with each such key; no secret is shown.
    pub fn refuse_misplaced_secrets(&self) -> Result<(), ConfigError> {
        let origin = self.file.as_deref().map_or_else(
            || Arc::from("environment"),
            |file| Arc::from(file.display().to_string()),
        );
        let errors: Vec<SettingError> = self
            .open_values()
            .into_iter()
            .filter(|(_, value)| contains_secret(value))
            .map(|(key, _)| SettingError {
                origin: Arc::clone(&origin),
                key,
                text: "contains a secret that is configured elsewhere, such as the token; \
                       expected another value"
                    .to_owned(),
            })
            .collect();
        if errors.is_empty() {
            return Ok(());
        }
        let settings = self.effective(process_environment()).unwrap_or_default();
        let placed = errors.into_iter().map(|error| SettingError {
            origin: place_of(&error.key, &settings).unwrap_or(error.origin),
            ..error
        });
        let errors = placed.collect();
        Err(ConfigError { errors })
    }

    /// Values that are not secret, by their keys.
    fn open_values(&self) -> Vec<(String, &str)> {
        let mut values = vec![
            (
                "upstream.base_url".to_owned(),
                self.upstream.base_url.as_str(),
            ),
            (
                "feeds.id_pattern".to_owned(),
                self.feeds.id_pattern.as_str(),
            ),
        ];
        let collector = self.log.otlp.iter();
        values
            .extend(collector.map(|otlp| ("log.otlp_endpoint".to_owned(), otlp.endpoint.as_str())));
        let hosts = self.http.hosts.iter();
        values.extend(hosts.map(|host| ("http.hosts".to_owned(), host.as_str())));
        for list in &self.watch_lists {
            let key = format!("watch_lists (id {})", list.id);
            values.extend(
                list.name
                    .iter()
                    .map(|name| (format!("{key}.name"), name.as_str())),
            );
            values.extend(pairs(&key, &list.query));
        }
        for (feed, at) in self.extra_feeds.iter().zip(1_usize..) {
            let key = format!("extra_feeds[{at}]");
            values.push((format!("{key}.name"), &feed.name));
            values.extend(pairs(&key, &feed.query));
        }
        for (sink, at) in self.alerts.sinks.iter().zip(1_usize..) {
            values.push((format!("alerts.sinks[{at}].name"), &sink.name));
        }
        for (rule, at) in self.alerts.rules.iter().zip(1_usize..) {
            values.push((format!("alerts.rules[{at}].name"), &rule.rule().name));
        }
        values
    }

    /// The configuration itself, if it contains a password.
    fn exposed_configuration(&self) -> Option<String> {
        let file = self.file.as_deref()?;
        let has_password =
            self.database.has_password_in_url() || self.upstream.has_proxy_password();
        let mode = fs::metadata(file).ok()?.permissions().mode();
        let is_exposed = has_password && mode & OTHERS_READ != 0;
        is_exposed.then(|| {
            format!(
                "{} contains a password, and every user may read it; use `password_file` or `proxy_password_file`, or `chmod o-rwx` it",
                file.display()
            )
        })
    }
}

/// Where a key, or the first one below it, is written.
fn place_of(key: &str, settings: &[EffectiveSetting]) -> Option<Arc<str>> {
    // `watch_lists (id 4).name`: its number is not known.
    let of_list = key.split_once(" (id ").and_then(|(lists, rest)| {
        let (id, rest) = rest.split_once(')')?;
        let id: Value = id.parse::<i64>().ok()?.into();
        let mut ids = settings.iter().filter_map(|one| {
            let entry = one.key.strip_suffix(".id")?;
            (entry.starts_with(lists) && one.value == id).then_some(entry)
        });
        Some(format!("{}{rest}", ids.next()?))
    });
    let key = of_list.as_deref().unwrap_or(key);
    let found = settings.iter().find(|one| {
        let rest = one.key.strip_prefix(key);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    found.and_then(|one| one.origin.as_deref()).map(Arc::from)
}

fn pairs<'c>(key: &str, query: &'c [(String, String)]) -> Vec<(String, &'c str)> {
    let both = query.iter().flat_map(|(name, value)| [name, value]);
    both.map(|text| (format!("{key}.query"), text.as_str()))
        .collect()
}

fn exposed(path: &Path) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    let what = match (mode & OTHERS_READ != 0, mode & OTHERS_WRITE != 0) {
        (_, true) => "other users may write",
        (true, false) => "every user may read",
        (false, false) => return None,
    };
    let path = path.display();
    Some(format!(
        "{what} {path}, which contains a secret; run `chmod g-w,o-rwx {path}`"
    ))
}
