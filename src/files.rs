//! Creates and replaces files in directories that other users may write in: no symbolic
//! link is followed, and no file of another user is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, readlinkat};
use nix::unistd::geteuid;

/// Links that lead to each other, at most; the kernel's limit.
const MOST_LINKS: usize = 40;
/// Whoever may write in a directory decides what its names mean.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Creates a file in place of what an earlier attempt left. The mode is limited by the
/// umask.
///
/// # Errors
/// It cannot be created, or somebody creates another one at the same time.
pub(crate) fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `O_EXCL` follows no link.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// Opens a file for writing without truncating it, or creates it with this mode.
///
/// # Errors
/// It cannot be opened, is no regular file, has another name as well, or belongs to another
/// user, who could read what is written.
pub(crate) fn open_own(path: &Path, mode: u32) -> io::Result<File> {
    // Opening a FIFO would wait for a reader.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags(flags.bits())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if found.uid() != geteuid().as_raw() {
        return Err(of_another_user(found.uid()));
    }
    if found.nlink() != 1 {
        return Err(io::Error::other("the file has another name as well"));
    }
    Ok(file)
}

/// Replaces a file: afterwards it has the old content or the new one, also after a power
/// failure. A link with this name is replaced, not followed.
///
/// # Errors
/// It cannot be replaced.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = create_new(&new, mode).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let replaced = written.and_then(|()| fs::rename(&new, path));
    if replaced.is_err() {
        // The first failure is the one that explains.
        let _ = fs::remove_file(&new);
    }
    replaced?;
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// The file that a name stands for. A link is followed if it belongs to this user or to
/// root: one of another user may lead anywhere. The name that is returned is no link, or one
/// that somebody has just put there: do not follow it.
///
/// # Errors
/// It is a link of another user, or links lead to each other.
pub(crate) fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match link_target(&path)? {
            Some(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            None => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Where a link leads; `None` if it is none. The owner is that of the same link, also when
/// somebody exchanges it meanwhile.
fn link_target(path: &Path) -> io::Result<Option<PathBuf>> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let link = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let found = link.metadata()?;
    if !found.is_symlink() {
        return Ok(None);
    }
    if !is_trusted(found.uid()) {
        return Err(io::Error::other(format!(
            "a symbolic link of another user (uid {})",
            found.uid()
        )));
    }
    Ok(Some(readlinkat(&link, "")?.into()))
}

/// Reads a small regular file, not through a link. `None` if there is none; more than
/// `most_bytes` are not read.
///
/// # Errors
/// It cannot be read, or is no regular file.
pub(crate) fn read_small(path: &Path, most_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    // Opening a FIFO would wait for a writer.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path);
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    file.take(most_bytes).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// A directory of this user that nobody else may write in. It stays the same directory,
/// whatever becomes of its name.
#[derive(Debug)]
pub(crate) struct OwnDirectory(File);

impl OwnDirectory {
    /// Opens it.
    ///
    /// # Errors
    /// It is a link, or others may write in it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // A slash behind the name of a link would follow it.
        let path: PathBuf = path.components().collect();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
            .open(&path);
        let directory = opened.map_err(|error| {
            if path.is_symlink() {
                return io::Error::other("it is a symbolic link");
            }
            error
        })?;
        let found = directory.metadata()?;
        if found.uid() != geteuid().as_raw() {
            return Err(of_another_user(found.uid()));
        }
        if found.mode() & WRITABLE_BY_OTHERS != 0 {
            let mode = found.mode() & 0o777;
            return Err(io::Error::other(format!(
                "other users may write in it (mode {mode:04o})"
            )));
        }
        Ok(Self(directory))
    }

    /// A name of it that stays, for this process.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

fn of_another_user(user: u32) -> io::Error {
    io::Error::other(format!("it belongs to another user (uid {user})"))
}
