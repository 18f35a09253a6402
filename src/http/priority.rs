//! Priority of a request.

/// Priority of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Priority {
    /// Feeds, tickets and interactive requests.
    #[default]
    Usual,
    /// Background requests: sent only while no normal request waits.
    Background,
}
