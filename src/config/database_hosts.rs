//! `[database] url` with one or several hosts, as libpq takes them:
//! `postgres://u@h1,h2:5433/db?target_session_attrs=read-write`.

use std::fmt;

use url::Url;

use super::secret::SecretUrl;

/// What the chosen server must allow. Source: PostgreSQL documentation, libpq.
const TARGET: &str = "target_session_attrs";
/// Most hosts of a URL: each is asked at every search.
const MAX_HOSTS: usize = 16;

/// `[database] url`: a URL per host, and whether the server must accept writes. Printing it
/// shows everything except the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    hosts: Vec<SecretUrl>,
    shown: String,
    is_writable: bool,
}

impl DatabaseUrl {
    /// One URL per host, in the order of the configuration; at least one.
    pub fn hosts(&self) -> &[SecretUrl] {
        &self.hosts
    }

    /// Whether only a server that accepts writes will do (`target_session_attrs`).
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Reads the hosts of a URL. `advice` begins the errors, which show no part of the text.
    pub(super) fn parse(text: &str, advice: &str) -> Result<Self, String> {
        let urls = urls(text).map_err(|error| format!("{advice} ({error})"))?;
        let shown = shown(text, &urls.whole);
        let target = targets(&urls.whole);
        let is_writable = match target.as_deref() {
            Some("read-write" | "primary") => true,
            Some("any") => false,
            None => urls.hosts.len() > 1,
            Some(_) => {
                return Err(format!(
                    "expected `{TARGET}` to be `read-write`, `primary` or `any`: advisoryd writes to the database"
                ));
            }
        };
        let hosts = urls.hosts.iter().map(without_target);
        Ok(Self {
            hosts: hosts.map(|url| SecretUrl::new(&url)).collect(),
            shown,
            is_writable,
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DatabaseUrl({})", self.shown)
    }
}

/// A text as the URLs of its hosts, and one that has all the rest of it.
struct Urls {
    whole: Url,
    hosts: Vec<Url>,
}

/// The parts of a URL around its hosts.
struct Parts<'a> {
    before: &'a str,
    hosts: &'a str,
    after: &'a str,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let start = text.find("://")? + "://".len();
    let rest = &text[start..];
    let end = start + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let hosts = text[start..end]
        .rfind('@')
        .map_or(start, |at| start + at + 1);
    Some(Parts {
        before: &text[..hosts],
        hosts: &text[hosts..end],
        after: &text[end..],
    })
}

/// The text with user and password as parameters, if it has them before an empty host, which
/// libpq takes (`postgres://u@/db?host=h`) and URLs do not allow.
fn without_empty_host(text: &str) -> Option<String> {
    let Parts {
        before,
        hosts: "",
        after,
    } = parts(text)?
    else {
        return None;
    };
    let (scheme, login) = before.strip_suffix('@')?.split_once("://")?;
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    // Both are percent-encoded already; these three mean something else in a query.
    let escaped = |part: &str| {
        let part = part.replace('+', "%2B").replace('&', "%26");
        part.replace('=', "%3D")
    };
    let after = after.split('#').next().unwrap_or_default();
    let mark = if after.contains('?') { '&' } else { '?' };
    let mut changed = format!("{scheme}://{after}{mark}user={}", escaped(user));
    if let Some(password) = password {
        changed.push_str("&password=");
        changed.push_str(&escaped(password));
    }
    Some(changed)
}

fn urls(text: &str) -> Result<Urls, String> {
    let changed = without_empty_host(text);
    let text = changed.as_deref().unwrap_or(text);
    let parsed = |text: &str| text.parse::<Url>().map_err(|error| error.to_string());
    if let Some(parts) = parts(text)
        && parts.hosts.contains(',')
    {
        let names: Vec<&str> = parts.hosts.split(',').collect();
        check(&names)?;
        let of = |host| parsed(&format!("{}{host}{}", parts.before, parts.after));
        let hosts = names.into_iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let whole = hosts.first().cloned().ok_or("no host")?;
        if pair(&whole, "host").is_some() || pair(&whole, "port").is_some() {
            return Err("several hosts, and `host` or `port` besides".into());
        }
        return Ok(Urls { whole, hosts });
    }
    let whole = parsed(text)?;
    if pair(&whole, "host").is_some() && pair(&whole, "hostaddr").is_some() {
        return Err(
            "`host` and `hostaddr`; write one of them, `host` if the certificate is verified"
                .into(),
        );
    }
    let list = pair(&whole, "host").or_else(|| pair(&whole, "hostaddr"));
    let hosts = match list {
        Some(list) if list.contains(',') => {
            let names: Vec<&str> = list.split(',').collect();
            check(&names)?;
            of_lists(&whole, &names)?
        }
        _ => vec![whole.clone()],
    };
    Ok(Urls { whole, hosts })
}

fn check(names: &[&str]) -> Result<(), String> {
    if names.iter().any(|name| name.is_empty()) {
        return Err("a host of several is empty".into());
    }
    if names.len() > MAX_HOSTS {
        return Err(format!("more than {MAX_HOSTS} hosts"));
    }
    Ok(())
}

/// The URLs of `host=h1,h2&port=5432,5433` (or `hostaddr`), where one port can be that of all.
fn of_lists(whole: &Url, names: &[&str]) -> Result<Vec<Url>, String> {
    let list = pair(whole, "port");
    let ports: Vec<&str> = list.iter().flat_map(|list| list.split(',')).collect();
    if ports.len() > 1 && ports.len() != names.len() {
        return Err("not as many ports as hosts".into());
    }
    let one = |(index, name): (usize, &&str)| {
        let mut url = without(whole, &["host", "hostaddr", "port"]);
        url.query_pairs_mut().append_pair("host", name);
        if let Some(port) = ports.get(index).or_else(|| ports.first()) {
            url.query_pairs_mut().append_pair("port", port);
        }
        url
    };
    Ok(names.iter().enumerate().map(one).collect())
}

fn pair(url: &Url, name: &str) -> Option<String> {
    let mut pairs = url.query_pairs();
    let (_, value) = pairs.find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

fn targets(url: &Url) -> Option<String> {
    pair(url, TARGET)
}

/// The driver does not know the parameter.
fn without_target(url: &Url) -> Url {
    if targets(url).is_some() {
        without(url, &[TARGET])
    } else {
        url.clone()
    }
}

fn without(url: &Url, names: &[&str]) -> Url {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut url = url.clone();
    url.set_query(None);
    for (name, value) in &pairs {
        if !names.contains(&name.as_str()) {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    url
}

/// The text without its password, with all hosts.
fn shown(text: &str, whole: &Url) -> String {
    let one = SecretUrl::new(whole).to_string();
    match (parts(text), parts(&one)) {
        (Some(given), Some(safe)) if given.hosts.contains(',') => {
            format!("{}{}{}", safe.before, given.hosts, safe.after)
        }
        _ => one,
    }
}
