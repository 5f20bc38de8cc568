//! Opens a store, by its place: a directory or a bucket.

use std::{sync::Arc, time::Duration};

use object_store::{
    ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem, path::Path,
    prefix::PrefixStore,
};

use crate::store::ArtifactStore;

/// How much of an upload goes to a directory at once, in bytes.
const LOCAL_PART: usize = 1024 * 1024;
/// How much of an upload goes to a bucket at once, in bytes: the least that S3 takes but for the last part.
const S3_PART: usize = 5 * 1024 * 1024;
/// How long an S3 server may be silent, and how long a request is tried again. Callers wait for it; purges come back.
pub(crate) const LONGEST_REQUEST: Duration = Duration::from_secs(20);

impl ArtifactStore {
    /// Opens the directory named by a path or a `file://` URL, and makes it where it is missing; or what an `s3://` URL
    /// names (`s3://BUCKET/PREFIX`), with the usual `AWS_…` variables of the environment.
    pub fn open(location: &str) -> std::io::Result<Self> {
        Self::open_with(location, &[])
    }

    /// The same with settings beside those of the environment, by the names of `object_store`'s `AmazonS3ConfigKey`.
    pub fn open_with(location: &str, settings: &[(&str, &str)]) -> std::io::Result<Self> {
        if location.starts_with("s3://") {
            return Self::open_s3(location, settings).map_err(std::io::Error::other);
        }
        if let Some((scheme, _)) = location.split_once("://").filter(|(scheme, _)| *scheme != "file") {
            let message =
                format!("{scheme}:// is no place for files: give a directory, file:///… or s3://BUCKET/PREFIX");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
        }
        let directory = location.strip_prefix("file://").unwrap_or(location);
        std::fs::create_dir_all(directory)?;
        let objects = LocalFileSystem::new_with_prefix(directory)?.with_automatic_cleanup(true).with_fsync(true);
        let directory = Some(std::path::Path::new(directory).into());
        Ok(Self { objects: Arc::new(objects), part: LOCAL_PART, directory })
    }

    fn open_s3(location: &str, settings: &[(&str, &str)]) -> Result<Self, object_store::Error> {
        // The process has one provider of cryptography; whoever was first has it chosen.
        _ = rustls::crypto::ring::default_provider().install_default();
        // Not for a request as a whole: a file is read for as long as its job runs.
        let options = ClientOptions::new().with_timeout_disabled().with_read_timeout(LONGEST_REQUEST);
        let options = options.with_connect_timeout(LONGEST_REQUEST / 4);
        let retry = RetryConfig { max_retries: 3, retry_timeout: LONGEST_REQUEST, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::from_env().with_url(location).with_client_options(options).with_retry(retry);
        // Options replace what the environment says of plain HTTP.
        let allow_http = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|allow| allow.eq_ignore_ascii_case("true"));
        builder = builder.with_allow_http(allow_http);
        for (name, value) in settings {
            builder = builder.with_config(name.parse()?, *value);
        }
        let bucket = builder.build()?;
        let (_, path) = location.trim_start_matches("s3://").split_once('/').unwrap_or_default();
        let prefix = Path::parse(path)?;
        let objects: Arc<dyn ObjectStore> =
            if prefix.is_root() { Arc::new(bucket) } else { Arc::new(PrefixStore::new(bucket, prefix)) };
        Ok(Self { objects, part: S3_PART, directory: None })
    }
}
