use super::environment::Environment;
use super::section::Section;
use super::sinks::{Sink, sinks};

/// `[alerts]`: who hears of what.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    /// `[[alerts.sinks]]`, with unique names.
    pub sinks: Vec<Sink>,
}

impl Alerts {
    pub(super) fn read(mut section: Section<'_>, env: &Environment) -> Self {
        let alerts = Self {
            sinks: sinks(&mut section, env),
        };
        section.close();
        alerts
    }
}
