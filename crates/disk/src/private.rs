//! Files that hold secrets: opened only where nobody else can read them. Folders of such files: only where nobody else can
//! put one of his own into them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use thiserror::Error;

/// The bits that nobody but the owner may have.
const OTHERS: u32 = 0o077;
/// What nobody but the owner may do with a folder.
const OTHERS_CHANGE: u32 = 0o022;
/// Who may write into a folder can then remove only what is his own.
const STICKY: u32 = 0o1000;
/// [`OTHERS`] where root owns the file and lends it to our group, as Kubernetes mounts secrets.
const OTHERS_BUT_GROUP: u32 = 0o037;

/// Why a file that holds a secret was not opened.
#[derive(Debug, Error)]
pub enum PrivateError {
    /// It cannot be opened.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Others than its owner may read or change it.
    #[error("can be read by others: its mode is {mode:04o} and must be 0400 or 0600")]
    Exposed {
        /// Its permission bits.
        mode: u32,
    },
    /// Others than its owner may put files into the folder, or take them out.
    #[error("can be changed by others: the mode of the folder is {mode:04o} and must be 0700")]
    Changeable {
        /// Its permission bits.
        mode: u32,
    },
}

/// Opens a file to read a secret from it.
///
/// # Errors
/// When it cannot be opened, or is not its owner's alone.
pub fn open_private(path: &Path) -> Result<File, PrivateError> {
    let file = open_regular(OpenOptions::new().read(true), path)?;
    let metadata = file.metadata()?;
    let mode = metadata.mode() & 0o7777;
    let ours = rustix::process::geteuid().as_raw();
    if is_private(mode, metadata.uid(), ours) { Ok(file) } else { Err(PrivateError::Exposed { mode }) }
}

/// Opens a file that is there and holds bytes. A pipe of the same name keeps nobody waiting for its other end.
///
/// # Errors
/// When it cannot be opened, or is no regular file.
pub fn open_regular(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "it is no regular file");
    let is_pipe = |error: &io::Error| error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error());
    let opened = options.clone().custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let file = opened.map_err(|error| if is_pipe(&error) { odd() } else { error })?;
    match file.metadata()?.file_type() {
        kind if kind.is_file() => Ok(file),
        kind if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        _ => Err(odd()),
    }
}

/// Asks whether the secrets of a folder are whose they seem to be.
///
/// # Errors
/// When it cannot be looked at, or others may change what lies in it.
pub fn check_private_folder(path: &Path) -> Result<(), PrivateError> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
    }
    let mode = metadata.mode() & 0o7777;
    // Kubernetes mounts secrets in a folder of root's that anybody could write to if it were not read-only.
    let mounted = metadata.uid() == 0 && mode & STICKY != 0;
    if mode & OTHERS_CHANGE == 0 || mounted { Ok(()) } else { Err(PrivateError::Changeable { mode }) }
}

fn is_private(mode: u32, owner: u32, ours: u32) -> bool {
    let lent = owner == 0 && ours != 0;
    mode & if lent { OTHERS_BUT_GROUP } else { OTHERS } == 0
}

/// Whether the same attempt may succeed later although nobody has changed a file or its permissions.
pub fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    !matches!(error.kind(), NotFound | PermissionDenied | IsADirectory | NotADirectory | InvalidData)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_others_can_read_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "x").unwrap();
        let open = |mode| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            open_private(&path)
        };
        for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
            assert!(matches!(open(mode), Err(PrivateError::Exposed { mode: found }) if found == mode), "{mode:o}");
        }
        for mode in [0o400, 0o600] {
            open(mode).unwrap();
        }
        let error = open_private(&dir.path().join("missing")).unwrap_err();
        assert!(matches!(error, PrivateError::Io(error) if !may_pass(&error)));
    }

    #[test]
    fn a_pipe_is_refused_at_once_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("key");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = open_private(&pipe).unwrap_err();
        assert!(error.to_string().contains("no regular file"), "{error}");
        assert!(matches!(error, PrivateError::Io(error) if !may_pass(&error)));
        let error = open_regular(OpenOptions::new().write(true), &pipe).unwrap_err();
        assert!(error.kind() == io::ErrorKind::InvalidData, "nor is its reader waited for: {error}");
        assert!(open_private(dir.path()).is_err());
    }

    #[test]
    fn a_folder_that_others_can_change_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let check = |mode| {
            fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            check_private_folder(dir.path())
        };
        for mode in [0o720, 0o702, 0o777] {
            let told = check(mode).unwrap_err().to_string();
            assert!(told.contains("can be changed by others") && told.contains(&format!("{mode:04o}")), "{told}");
        }
        for mode in [0o500, 0o700, 0o750, 0o755] {
            check(mode).unwrap();
        }
        let file = dir.path().join("key");
        fs::write(&file, "x").unwrap();
        let error = check_private_folder(&file).unwrap_err();
        assert!(matches!(error, PrivateError::Io(error) if error.kind() == io::ErrorKind::NotADirectory));
    }

    #[test]
    fn root_may_lend_a_file_to_a_group_but_not_to_everybody() {
        assert!(is_private(0o440, 0, 10_001) && is_private(0o640, 0, 10_001));
        assert!(!is_private(0o444, 0, 10_001) && !is_private(0o660, 0, 10_001));
        assert!(!is_private(0o440, 0, 0) && !is_private(0o440, 10_001, 10_001), "who owns it can narrow it");
    }
}
