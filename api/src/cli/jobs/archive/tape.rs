//! The file of an archive, from its first byte to its place.

use std::{
    fs::File,
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::job::Job;

/// zstd's own default.
const LEVEL: i32 = 3;

/// An archive that is being written, beside the place where it will be.
pub struct Tape {
    tar: tar::Builder<zstd::Encoder<'static, Hashed>>,
    now: u64,
}

/// A file whose bytes are hashed on their way.
struct Hashed {
    file: NamedTempFile,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The folder of a file.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

impl Tape {
    /// Begins an archive. Nobody else may read it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix(".joblink-").suffix(".partial").tempfile_in(folder(path))?;
        let encoder = zstd::Encoder::new(Hashed { file, hash: Sha256::new() }, LEVEL)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(Self { tar: tar::Builder::new(encoder), now })
    }

    /// Appends a job.
    pub fn append(mut self, job: Job) -> io::Result<Self> {
        for (name, mut file) in job.files {
            file.rewind()?;
            self.entry(&PathBuf::from(format!("jobs/{}", job.id)).join(name), &mut file)?;
        }
        Ok(self)
    }

    fn entry(&mut self, name: &Path, file: &mut File) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.metadata()?.len());
        header.set_mode(0o600);
        header.set_mtime(self.now);
        self.tar.append_data(&mut header, name, file)
    }

    /// Puts the archive into its place, where nothing may be, and gives its SHA-256.
    pub fn finish(self, path: &Path) -> io::Result<String> {
        let mut written = self.tar.into_inner()?.finish()?;
        written.flush()?;
        written.file.as_file().sync_all()?;
        written.file.persist_noclobber(path).map_err(|error| error.error)?;
        // Its name is to outlive a power failure as its bytes do.
        #[cfg(unix)]
        File::open(folder(path))?.sync_all()?;
        Ok(written.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
