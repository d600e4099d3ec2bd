//! One file of kubectl's configuration on disk: read, locked as kubectl locks it, and replaced as a whole.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::files::FilesError;

/// How long another program may take; kubectl holds its lock for milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Content of a file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, FilesError> {
    let failed = |source| FilesError::Io { action: "read", path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::read(path).map(Some).map_err(failed),
        // `/dev/null` is what people name where there shall be no configuration, and a pipe can be read once only.
        Ok(_) => Err(FilesError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// The lock files of a configuration, as kubectl makes them: `FILE.lock` beside it. Where the file is a symlink, beside what it points at
/// as well. Dropping gives them back.
#[derive(Debug)]
pub(super) struct Lock {
    taken: Vec<PathBuf>,
}

impl Lock {
    /// Waits while another program has it. Where the directory cannot be written to there is no lock, and nothing to be kept from.
    pub(super) fn take(path: &Path) -> Result<Self, FilesError> {
        // Beside devices and pipes nothing is made.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(FilesError::NotAFile { path: path.to_owned() });
        }
        let mut names = vec![lock_name(path)];
        let target = target(path)?;
        if target != path {
            names.push(lock_name(&target));
        }
        names.sort();
        names.dedup();
        let mut lock = Self { taken: Vec::new() };
        for name in names {
            if lock.wait_for(path, &name)? {
                lock.taken.push(name);
            }
        }
        Ok(lock)
    }

    fn wait_for(&self, path: &Path, name: &Path) -> Result<bool, FilesError> {
        let begun = Instant::now();
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(name) {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && begun.elapsed() < PATIENCE => sleep(PAUSE),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    return Err(FilesError::Locked { path: path.to_owned(), lock: name.to_owned() });
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let directory = name.parent().unwrap_or(Path::new(""));
                    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
                    made.map_err(|source| FilesError::Io { action: "make", path: directory.to_owned(), source })?;
                }
                // Another file of the list; whether this one is to be changed shows later.
                Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                    return Ok(false);
                }
                Err(source) => return Err(FilesError::Io { action: "lock", path: path.to_owned(), source }),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        for name in &self.taken {
            // What is left behind is told to the next one who waits for it.
            let _ = fs::remove_file(name);
        }
    }
}

fn lock_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}

/// Where a chain of symlinks leads, be the file there or not.
fn target(path: &Path) -> Result<PathBuf, FilesError> {
    /// As many as Linux follows.
    const LINKS: usize = 40;
    let failed = |source| FilesError::Io { action: "read", path: path.to_owned(), source };
    let mut target = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&target) {
            Ok(link) => target = target.parent().unwrap_or(Path::new("")).join(link),
            // No link, or not there.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => return Ok(target),
            Err(error) => return Err(failed(error)),
        }
    }
    Err(failed(io::Error::other("too many levels of symbolic links")))
}

/// The new content of a file, beside it, for its owner's eyes only. Dropping it leaves the file as it is.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    path: &'a Path,
    /// Where symlinks lead; they stay.
    target: PathBuf,
    incoming: PathBuf,
    content: &'a [u8],
}

impl<'a> Incoming<'a> {
    pub(super) fn write(path: &'a Path, content: &'a [u8]) -> Result<Self, FilesError> {
        let target = target(path)?;
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{:08x}", rand::random::<u32>()));
        let new = Self { path, incoming: directory(&target).join(name), target, content };
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new.incoming)?;
            // Root changes files of others (`sudo`), who want to go on reading them.
            if let Ok(old) = fs::metadata(&new.target)
                && old.uid() != file.metadata()?.uid()
            {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.write_all(content)?;
            file.sync_all()
        };
        written().map_err(|error| new.failed(error))?;
        Ok(new)
    }

    /// Puts it in the place of the file: whoever reads that sees the old content or the new one.
    pub(super) fn put_in_place(self) -> Result<(), FilesError> {
        self.put_in_place_by(|from, to| fs::rename(from, to))
    }

    fn put_in_place_by(self, rename: impl FnOnce(&Path, &Path) -> io::Result<()>) -> Result<(), FilesError> {
        let done = match rename(&self.incoming, &self.target) {
            // A file that is mounted by itself, as in development containers, can only be written to, as kubectl does.
            Err(error) if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::CrossesDevices) => self.write_through(),
            renamed => renamed.and_then(|()| File::open(directory(&self.target))?.sync_all()),
        };
        done.map_err(|error| self.failed(error))
    }

    fn write_through(&self) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(&self.target)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.set_len(0)?;
        file.write_all(self.content)?;
        file.sync_all()
    }

    fn failed(&self, source: io::Error) -> FilesError {
        FilesError::Io { action: "write", path: self.path.to_owned(), source }
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        // It is there no more where it is in place.
        let _ = fs::remove_file(&self.incoming);
    }
}

fn directory(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_file_that_nothing_can_take_the_place_of_is_written_to() {
        for kind in [ErrorKind::ResourceBusy, ErrorKind::CrossesDevices] {
            let directory = TempDir::new().unwrap();
            let path = directory.path().join("config");
            fs::write(&path, "what was there, and is longer").unwrap();
            let inode = fs::metadata(&path).unwrap().ino();
            let incoming = Incoming::write(&path, b"new").unwrap();
            incoming.put_in_place_by(|_, _| Err(io::Error::from(kind))).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!((metadata.ino(), metadata.mode() & 0o777), (inode, 0o600));
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_is_not_put_in_place_leaves_nothing() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("config");
        fs::write(&path, "old").unwrap();
        let incoming = Incoming::write(&path, b"new").unwrap();
        incoming.put_in_place_by(|_, _| Err(io::Error::from(ErrorKind::PermissionDenied))).unwrap_err();
        drop(Incoming::write(&path, b"new").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
