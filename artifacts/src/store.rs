//! The artifact store: a local directory or a bucket of an S3-compatible server, behind the `object_store` crate.

use std::{
    fmt::Write as _,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt, TryStreamExt, pin_mut,
    stream::{self, BoxStream},
};
use object_store::{GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, PutMode, WriteMultipart, path::Path};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    directory,
    key::{JOBS, Key, Listed, MARK, UPLOADS, folder_of},
    open::LONGEST_REQUEST,
};

/// How many parts of one upload may be on their way to the store at once: bounds the memory of an upload.
const PARTS_IN_FLIGHT: usize = 2;

/// What the store knows of a file after taking it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// Hex, lower case.
    pub sha256: String,
}

/// The store could not do it; says what was tried with which key.
#[derive(Debug, thiserror::Error)]
#[error("artifact store: cannot {action} {target}: {}", in_one_line(.source))]
pub struct StoreError {
    action: &'static str,
    target: String,
    source: object_store::Error,
}

/// S3 servers answer in XML over several lines, and a log has a line for each event.
fn in_one_line(error: &object_store::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl StoreError {
    /// Whether there is no such file; everything else may be another time.
    pub const fn is_missing(&self) -> bool {
        matches!(self.source, object_store::Error::NotFound { .. })
    }
}

/// Why a file was not taken in. Nothing of it is left in the store.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// The file is larger than allowed.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// The largest allowed size in bytes.
        limit: u64,
    },
    /// The sender failed or went away.
    #[error("the file was not sent to its end")]
    Source(#[source] E),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Holds the files of all jobs.
#[derive(Clone, Debug)]
pub struct ArtifactStore {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// How much of an upload goes there at once, in bytes.
    pub(crate) part: usize,
    /// Of a local store, where it is.
    pub(crate) directory: Option<Arc<std::path::Path>>,
}

fn failed<'a>(action: &'static str, target: &'a Path) -> impl FnOnce(object_store::Error) -> StoreError + 'a {
    move |source| StoreError { action, target: target.to_string(), source }
}

fn disk<'a>(action: &'static str, target: &'a Path) -> impl FnOnce(std::io::Error) -> StoreError + 'a {
    move |source| failed(action, target)(object_store::Error::Generic { store: "directory", source: source.into() })
}

impl ArtifactStore {
    /// How long what was sent to the store may still be on its way after its sender is gone.
    pub fn longest_request(&self) -> Duration {
        // Its beginning, a part, and its end are a request each.
        if self.directory.is_some() { Duration::ZERO } else { LONGEST_REQUEST * 3 }
    }

    /// Takes in a file as a stream of chunks, never whole in memory. On any error nothing of it stays.
    pub async fn put<E>(
        &self,
        key: Key,
        chunks: impl Stream<Item = Result<Bytes, E>>,
        limit: u64,
    ) -> Result<Stored, PutError<E>> {
        let path = key.path();
        let upload = self.objects.put_multipart(&path).await.map_err(failed("write", &path))?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, self.part);
        let mut hash = Sha256::new();
        let mut size = 0_u64;
        pin_mut!(chunks);
        let outcome = loop {
            match chunks.next().await {
                None => break Ok(()),
                Some(Err(error)) => break Err(PutError::Source(error)),
                Some(Ok(chunk)) => {
                    size += chunk.len() as u64;
                    if size > limit {
                        break Err(PutError::TooLarge { limit });
                    }
                    hash.update(&chunk);
                    if let Err(error) = writer.wait_for_capacity(PARTS_IN_FLIGHT).await {
                        break Err(failed("write", &path)(error).into());
                    }
                    writer.put(chunk);
                }
            }
        };
        if let Err(error) = outcome {
            // The abort may fail where the store is down; the reason to report is the first one.
            let _aborted = writer.abort().await;
            return Err(error);
        }
        writer.finish().await.map_err(failed("write", &path))?;
        Ok(Stored { size, sha256: hex(&hash.finalize()) })
    }

    /// Reads a file as a stream of chunks.
    pub async fn read(&self, key: Key) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        self.read_path(key.path()).await
    }

    /// Reads these bytes of a file.
    pub async fn read_range(
        &self,
        key: Key,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let path = key.path();
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.objects.get_opts(&path, options).await.map_err(failed("read", &path))?;
        Ok(chunks(found, path))
    }

    async fn read_path(&self, path: Path) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let found = self.objects.get(&path).await.map_err(failed("read", &path))?;
        Ok(chunks(found, path))
    }

    /// Reads a job's input, registered or not; `None` where there is none, or more than one.
    pub async fn read_input(
        &self,
        job: Uuid,
    ) -> Result<Option<BoxStream<'static, Result<Bytes, StoreError>>>, StoreError> {
        let prefix = Path::from_iter([JOBS, &job.to_string(), "input"]);
        let found: Vec<_> = self.objects.list(Some(&prefix)).try_collect().await.map_err(failed("list", &prefix))?;
        let [object] = &found[..] else { return Ok(None) };
        self.read_path(object.location.clone()).await.map(Some)
    }

    /// Copies a file to another key. On any error nothing of it stays there.
    pub async fn copy(&self, from: Key, to: Key) -> Result<(), StoreError> {
        // Through this program: a directory would make a second name of the file, which a loss of power could take.
        let chunks = self.read(from).await?;
        match self.put(to, chunks, u64::MAX).await {
            Ok(_) | Err(PutError::TooLarge { .. }) => Ok(()),
            Err(PutError::Source(error) | PutError::Store(error)) => Err(error),
        }
    }

    /// Gives a file a second key, without reading it: a bucket copies it, a directory makes another name of the same file. So
    /// the first one is to go as soon as the second is known.
    pub async fn link(&self, from: Key, to: Key) -> Result<(), StoreError> {
        let (from, to) = (from.path(), to.path());
        self.objects.copy(&from, &to).await.map_err(failed("copy", &from))?;
        match &self.directory {
            Some(root) => directory::sync_folders_of(root, to.as_ref()).await.map_err(disk("copy", &to)),
            None => Ok(()),
        }
    }

    /// Moves a file to another key.
    pub async fn rename(&self, from: Key, to: Key) -> Result<(), StoreError> {
        let (from, to) = (from.path(), to.path());
        self.objects.rename(&from, &to).await.map_err(failed("move", &from))
    }

    /// Removes a file; one that is missing counts as removed.
    pub async fn delete(&self, key: Key) -> Result<(), StoreError> {
        self.delete_path(&key.path()).await
    }

    /// Removes every file of a job, registered or not, and answers the keys that went.
    pub async fn purge_job(&self, job: Uuid) -> Result<Vec<String>, StoreError> {
        let prefix = folder_of(job);
        let found = self.files_of(job).await?;
        if let Some(root) = &self.directory {
            // The folder as a whole: it may hold what was never finished, or nothing.
            let removed = directory::remove_folder(root, prefix.as_ref().into()).await;
            removed.and_then(|()| sync_jobs(root)).map_err(disk("remove", &prefix))?;
        } else {
            let locations: Vec<_> = found.iter().map(|file| Ok(Path::from(file.key.as_str()))).collect();
            let mut deletions = self.objects.delete_stream(stream::iter(locations).boxed());
            while let Some(deleted) = deletions.next().await {
                match deleted {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(failed("remove", &prefix)(error)),
                }
            }
        }
        Ok(found.into_iter().map(|file| file.key).collect())
    }

    /// Removes the files that a job made, but for these.
    pub async fn drop_other_outputs(&self, job: Uuid, keep: &[Uuid]) -> Result<(), StoreError> {
        let kept = |file: &Listed| !file.is_staging() && file.id().is_some_and(|id| keep.contains(&id));
        for file in self.files_of(job).await?.iter().filter(|file| file.is_output() && !kept(file)) {
            self.remove(file).await?;
        }
        Ok(())
    }

    /// Removes a file that was listed; one that is missing counts as removed.
    pub async fn remove(&self, file: &Listed) -> Result<(), StoreError> {
        let path = Path::from(file.key.as_str());
        match &self.directory {
            Some(root) => directory::remove_file(root, &file.key).await.map_err(disk("remove", &path)),
            None => self.delete_path(&path).await,
        }
    }

    /// Makes removals of files last through a loss of power.
    pub async fn settle(&self, removed: &[String]) -> Result<(), StoreError> {
        let Some(root) = &self.directory else { return Ok(()) };
        for key in removed {
            directory::sync_folders_of(root, key).await.map_err(disk("remove", &Path::from(key.as_str())))?;
        }
        Ok(())
    }

    /// The names below which files of jobs are: ids of jobs, if nobody else put anything there.
    pub async fn jobs(&self) -> Result<Vec<String>, StoreError> {
        let prefix = Path::from(JOBS);
        let listed = self.objects.list_with_delimiter(Some(&prefix)).await.map_err(failed("list", &prefix))?;
        Ok(listed.common_prefixes.iter().filter_map(|path| path.filename().map(ToOwned::to_owned)).collect())
    }

    /// All files of a job, registered or not, finished or not.
    pub async fn files_of(&self, job: Uuid) -> Result<Vec<Listed>, StoreError> {
        self.list(folder_of(job)).await
    }

    /// All files that were sent and belong to no job yet, finished or not.
    pub async fn uploads(&self) -> Result<Vec<Listed>, StoreError> {
        self.list(Path::from(UPLOADS)).await
    }

    async fn list(&self, prefix: Path) -> Result<Vec<Listed>, StoreError> {
        if let Some(root) = &self.directory {
            return directory::list(root, prefix.as_ref().into()).await.map_err(disk("list", &prefix));
        }
        let found: Vec<_> = self.objects.list(Some(&prefix)).try_collect().await.map_err(failed("list", &prefix))?;
        let now = SystemTime::now();
        Ok(found.iter().map(|object| Listed::of(object, now)).collect())
    }

    /// The store's own id; `None` where it has none yet.
    pub async fn mark(&self) -> Result<Option<Uuid>, StoreError> {
        let path = Path::from(MARK);
        let bytes = match self.objects.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed("read", &path))?.bytes().await.map_err(failed("read", &path))?,
        };
        let id = std::str::from_utf8(&bytes).ok().and_then(|text| Uuid::parse_str(text.trim()).ok());
        let no_id = || object_store::Error::Generic { store: "artifact store", source: "it holds no id".into() };
        id.map(Some).ok_or_else(no_id).map_err(failed("read", &path))
    }

    /// Gives the store an id, unless it has one already.
    pub async fn set_mark(&self, id: Uuid) -> Result<(), StoreError> {
        let path = Path::from(MARK);
        let mode = PutMode::Create.into();
        match self.objects.put_opts(&path, format!("{id}\n").into(), mode).await {
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(failed("write", &path)(error)),
        }
    }

    /// Removes uploads that no job took within `age`, finished or not, and answers how many.
    pub async fn drop_stale_uploads(&self, age: Duration) -> Result<usize, StoreError> {
        let mut stale = self.uploads().await?;
        stale.retain(|file| file.age > age && file.id().is_some());
        for file in &stale {
            self.remove(file).await?;
        }
        Ok(stale.len())
    }

    /// The keys of all files but the store's mark, in order: for tests and audits of the store.
    pub async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let root = Path::default();
        let mut keys: Vec<String> = self
            .objects
            .list(None)
            .map_ok(|object| object.location.to_string())
            .try_filter(|key| std::future::ready(key != MARK))
            .try_collect()
            .await
            .map_err(failed("list", &root))?;
        keys.sort();
        Ok(keys)
    }

    async fn delete_path(&self, path: &Path) -> Result<(), StoreError> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("remove", path)(error)),
        }
    }
}

/// Makes removals last through a loss of power: the names of jobs that are gone stand in the folder above them.
fn sync_jobs(root: &std::path::Path) -> std::io::Result<()> {
    match std::fs::File::open(root.join(JOBS)).and_then(|jobs| jobs.sync_all()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn chunks(found: GetResult, path: Path) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let failed = move |source| StoreError { action: "read", target: path.to_string(), source };
    found.into_stream().map_err(failed).boxed()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ok = write!(text, "{byte:02x}");
        text
    })
}
