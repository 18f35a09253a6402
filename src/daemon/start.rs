//! What one start of the daemon is given besides its configuration.

/// What one start of the daemon is told besides its configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct StartOptions {
    /// What first loads bring, and what is stored when a rule is new, is news too.
    pub alert_backlog: bool,
}
