//! Start options of the daemon.

/// Options of one start, in addition to the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct StartOptions {
    /// Also create alerts for first loads, and for stored advisories when a rule is new.
    pub alert_backlog: bool,
    /// Start although another daemon works with another configuration, and replace that.
    pub replace_configuration: bool,
}
