//! Invented vocabulary: no vendor, product or sentence of the real world.

pub const VENDORS: &[&str] = &[
    "Blåbær Systemer",
    "Norrström",
    "Café Réseau",
    "Łódka Data",
    "Quarz & Söhne",
    "東風 Networks",
    "Vesterhav",
    "Penguin Forge",
    "Ironbark",
    "Gullwing",
    "Lanthorn",
    "Tidewater Labs",
    "Óbidos Software",
    "Kestrel",
    "Marmot",
    "Sextant",
    "Hollin & Pike",
    "Ćwiek",
    "Redstart",
    "Bellwether",
    "Müggelsee",
    "Osprey Works",
    "Zephyr",
    "Fjordlys",
];

pub const PRODUCTS: &[&str] = &[
    "Gatehouse",
    "Mail Relay",
    "Ledger",
    "Kernel",
    "Identity Bridge",
    "Archive Manager",
    "Print Spooler",
    "Web Console",
    "Backup Agent",
    "Routing Engine",
    "Image Library",
    "Message Queue",
    "Remote Desk",
    "Virtual Host",
    "Storage Array",
    "Parser Toolkit",
    "Directory",
    "Meter Gateway",
    "Office Suite",
    "Browser",
];

pub const OPERATING_SYSTEMS: &[&str] = &["Linux Server", "Edge OS", "Desktop", "Firmware"];

pub const WEAKNESSES: &[&str] = &[
    "An error when handling <record> elements can be exploited to cause a heap-based buffer overflow via an overly long header.",
    "A use-after-free error when closing sessions can be exploited to corrupt memory.",
    "Certain input passed via the \"name\" & \"path\" parameters is not properly sanitised before being returned to the user. This can be exploited to execute arbitrary HTML and script code in a user's browser session in context of an affected site.",
    "An integer underflow (length < 0) within the decoder can be exploited to disclose uninitialised memory.",
    "The application does not properly verify the server's certificate, which can be exploited to disclose and manipulate data in transit.",
    "An error related to the update service can be exploited to overwrite arbitrary files and subsequently gain elevated privileges.",
    "A race condition when creating temporary files can be exploited to gain access to otherwise restricted functionality.",
    "Certain unspecified input is not properly sanitised before being used in database queries. This can be exploited to manipulate queries by injecting arbitrary code.",
    "An infinite loop when parsing nested archives can be exploited to exhaust available CPU resources & memory.",
    "A boundary error within the font renderer can be exploited to cause an out-of-bounds read access via a specially crafted file whose size is > 2³¹ bytes.",
];

pub const CONSEQUENCES: &[&str] = &[
    "Successful exploitation of this vulnerability may allow execution of arbitrary code.",
    "Successful exploitation requires that the affected module is enabled (not the default).",
    "Successful exploitation requires user interaction – e.g. opening a crafted document.",
    "Note: The vulnerability is currently being exploited in targeted attacks.",
    "The weakness is confirmed in the default configuration; other configurations may also be affected.",
];

pub const SOLUTIONS: &[&str] = &[
    "Update to a fixed version.",
    "Apply the vendor's patches (please see the vendor's advisory for details).",
    "Upgrade to the next major version & restart the service.",
    "No official solution is currently available.\r\n\r\nRestrict access to trusted hosts only <see the manual>.",
    "As a workaround disable the affected module and filter malicious traffic with a proxy.",
];

pub const CREDITS: &[&str] = &[
    "Reported by the vendor.",
    "1) Åse Nygård, Tidewater Labs.\r\n2) An anonymous person.",
    "The vendor credits Zoë Quémeneur & Jörg Wächter.",
    "",
];

pub const RATINGS: &[&str] = &[
    "",
    "",
    "",
    "The exploitation scenario requires privileges that only trusted users have, and the gain for such users is considered too small.",
];

pub const KINDS: &[&str] = &[
    "Multiple Vulnerabilities",
    "Denial of Service Vulnerability",
    "Cross-Site Scripting Vulnerability",
    "Privilege Escalation Vulnerability",
    "Information Disclosure Weakness",
    "Security Bypass Vulnerability",
    "Code Execution Vulnerability",
    "SQL Injection Vulnerabilities",
];

pub const REVISION_NOTES: &[&str] = &[
    "Updated the \"Solution\" section.",
    "Updated the \"Description\" section & added affected versions.",
    "Added link to the \"Original Advisory\" section.",
    "Updated credits.",
];

pub const RESERVED: &str = "** RESERVED ** This name has been set aside by somebody who will say more when the weakness is announced. Until then there is nothing to read here.";

pub const CVE_TEXTS: &[&str] = &[
    "A weakness in the session layer allows remote attackers to read memory via a crafted <frame>.",
    "Improper input validation allows local users to gain privileges via a crafted argument & environment.",
    "The decoder before the fixed version mishandles lengths, which allows attackers to cause a denial of service.",
];

/// Where `where` points (contract §7), by code.
pub const WHERE: &[&str] = &["None", "From remote", "From local network", "Local system"];

/// `solution_status` by code.
pub const SOLUTION_STATUS: &[&str] = &[
    "None",
    "No Fix",
    "Vendor Patched",
    "Vendor Workaround",
    "Partial Fix",
];

/// `criticality` by code: 1 is the worst.
pub const CRITICALITY: &[&str] = &[
    "Rejected",
    "Extremely critical",
    "Highly critical",
    "Moderately critical",
    "Less critical",
    "Not critical",
];

/// `impact` by code, which is counted from 1.
pub const IMPACT: &[&str] = &[
    "",
    "System access",
    "DoS",
    "Privilege escalation",
    "Exposure of sensitive information",
    "Exposure of system information",
    "Brute force",
    "Manipulation of data",
    "Spoofing",
    "Cross Site Scripting",
    "Security Bypass",
    "Hijacking",
    "Unknown",
];

pub const STATUSES: &[&str] = &["Open", "Handled", "Waiting", "Irrelevant", "Färdig"];
pub const PRIORITIES: &[&str] = &["Low", "Medium", "High", "Urgent"];
pub const QUEUES: &[&str] = &["Default", "Servers", "Workstations & printers"];
pub const PEOPLE: &[&str] = &["ada", "björn", "chiara", "dmitri", "éloïse"];
pub const LISTS: &[&str] = &[
    "Linux servers",
    "Workstations",
    "Mail & groupware",
    "Network gear",
    "Web platform",
    "Büro Zürich",
];
