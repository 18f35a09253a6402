//! What is mirrored besides advisories and tickets: what watch lists contain, and pending
//! approvals.

/// A kind of collection that is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MirrorKind {
    /// The vendors of a watch list.
    Vendor,
    /// The products of a watch list.
    Product,
    /// The product releases of a watch list.
    ProductRelease,
    /// The pending approvals of the account.
    Approval,
}

impl MirrorKind {
    /// The kinds that each watch list has.
    pub const OF_LIST: [Self; 3] = [Self::Vendor, Self::Product, Self::ProductRelease];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Product => "product",
            Self::ProductRelease => "product_release",
            Self::Approval => "approval",
        }
    }

    /// From its name in the database; anything else is an approval.
    pub fn from_name(name: &str) -> Self {
        match name {
            "vendor" => Self::Vendor,
            "product" => Self::Product,
            "product_release" => Self::ProductRelease,
            _ => Self::Approval,
        }
    }

    /// Its rows, in words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Vendor => "vendors",
            Self::Product => "products",
            Self::ProductRelease => "product releases",
            Self::Approval => "pending approvals",
        }
    }
}

/// A collection that is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MirrorKey {
    /// Upstream's id of the watch list; 0 for the pending approvals.
    pub watch_list_id: i64,
    /// What it holds.
    pub kind: MirrorKind,
}

impl MirrorKey {
    /// The pending approvals.
    pub const APPROVALS: Self = Self {
        watch_list_id: 0,
        kind: MirrorKind::Approval,
    };
}

impl std::fmt::Display for MirrorKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let label = self.kind.label();
        match self.kind {
            MirrorKind::Approval => formatter.write_str(label),
            _ => write!(formatter, "{label} of watch list {}", self.watch_list_id),
        }
    }
}

/// Something that a watch list contains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListItem {
    /// Upstream's id.
    pub upstream_id: String,
    /// Its name.
    pub name: Option<String>,
}

/// An advisory that awaits approval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingApproval {
    /// Upstream's id of the approval.
    pub upstream_id: String,
    /// The watch list for which it is pending.
    pub watch_list_id: Option<i64>,
    /// Name of the watch list.
    pub watch_list: Option<String>,
    /// Identifier of the advisory.
    pub said: Option<String>,
    /// Title of the advisory.
    pub title: Option<String>,
    /// As upstream sent it, unless it is very long.
    pub raw: Option<String>,
}
