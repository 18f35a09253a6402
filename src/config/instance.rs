//! Instance name of a configuration: `/etc/advisoryd/NAME.toml` belongs to
//! `advisoryd@NAME.service`.

use std::path::{Path, PathBuf};

use super::token::DEFAULT_TOKEN_FILE;

/// Read when neither `--config` nor `$ADVISORYD_CONFIG` names another file.
pub const DEFAULT_PATH: &str = "/etc/advisoryd/config.toml";
/// State directory of the service without an instance name.
const DEFAULT_STATE_DIR: &str = "/var/lib/advisoryd";

/// Defaults that depend on the configuration file's name. An instance has a token and a
/// state directory of its own: with those of another account, that account's data would
/// be stored in the wrong database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct InstanceDefaults(Option<String>);

impl InstanceDefaults {
    /// The instance of a file in `/etc/advisoryd` that is not `config.toml`; of any other
    /// file, none.
    pub(super) fn of(file: &Path) -> Self {
        let default = Path::new(DEFAULT_PATH);
        let is_instance = file.parent() == default.parent()
            && file != default
            && file.extension().is_some_and(|ending| ending == "toml");
        let name = file.file_stem().and_then(|name| name.to_str());
        Self(name.filter(|_| is_instance).map(str::to_owned))
    }

    /// The last place that is searched for the token.
    pub(super) fn token_file(&self) -> PathBuf {
        match &self.0 {
            Some(name) => Path::new(DEFAULT_PATH).with_file_name(format!("{name}.token")),
            None => PathBuf::from(DEFAULT_TOKEN_FILE),
        }
    }

    /// Where systemd puts the credentials of the unit, readable by root.
    pub(super) fn credentials_dir(&self) -> PathBuf {
        let unit = match &self.0 {
            Some(name) => format!("advisoryd@{name}.service"),
            None => "advisoryd.service".to_owned(),
        };
        Path::new("/run/credentials").join(unit)
    }

    /// `StateDirectory=` of the unit.
    pub(super) fn state_dir(&self) -> PathBuf {
        match &self.0 {
            Some(name) => PathBuf::from(format!("{DEFAULT_STATE_DIR}-{name}")),
            None => PathBuf::from(DEFAULT_STATE_DIR),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::InstanceDefaults;

    #[test]
    fn an_instance_has_its_own_token_and_state_directory() {
        for (file, token, state) in [
            (
                "/etc/advisoryd/config.toml",
                "/etc/advisoryd/token",
                "/var/lib/advisoryd",
            ),
            (
                "/etc/advisoryd/a.toml",
                "/etc/advisoryd/a.token",
                "/var/lib/advisoryd-a",
            ),
            (
                "/etc/advisoryd/a.b.toml",
                "/etc/advisoryd/a.b.token",
                "/var/lib/advisoryd-a.b",
            ),
            (
                "/etc/advisoryd/a.conf",
                "/etc/advisoryd/token",
                "/var/lib/advisoryd",
            ),
            (
                "/home/ada/a.toml",
                "/etc/advisoryd/token",
                "/var/lib/advisoryd",
            ),
            ("config.toml", "/etc/advisoryd/token", "/var/lib/advisoryd"),
        ] {
            let instance = InstanceDefaults::of(Path::new(file));
            assert_eq!(
                (instance.token_file(), instance.state_dir()),
                (PathBuf::from(token), PathBuf::from(state)),
                "{file}"
            );
        }
    }
}
