//! What a store in a local directory holds beside its files: the staging files `KEY#N` of writes that are under way, or whose
//! program was killed, and folders that such a write leaves empty. `object_store` neither lists nor removes them.
//!
//! A symbolic link is never followed: it is listed, and removed, as the link that it is.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

use crate::key::Listed;

/// All files of a folder of a store, at any depth; none where there is no such folder.
pub async fn list(root: &Path, folder: PathBuf) -> io::Result<Vec<Listed>> {
    let root = root.to_owned();
    blocking(move || {
        let mut found = Vec::new();
        let mut waiting = vec![inside(&root, &folder)?];
        while let Some(path) = waiting.pop() {
            let Some(entry) = unless_missing(fs::symlink_metadata(&path))? else { continue };
            if entry.is_dir() {
                for inner in unless_missing(fs::read_dir(&path))?.into_iter().flatten() {
                    waiting.push(inner?.path());
                }
                continue;
            }
            let key = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let age = SystemTime::now().duration_since(entry.modified()?).unwrap_or_default();
            found.push(Listed { key, size: entry.len(), age });
        }
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    })
    .await
}

/// Removes a folder of a store with all that is in it; one that is missing counts as removed.
pub async fn remove_folder(root: &Path, folder: PathBuf) -> io::Result<()> {
    let path = inside(root, &folder)?;
    blocking(move || match fs::symlink_metadata(&path) {
        // The library's own removal is safe against links that appear meanwhile.
        Ok(entry) if entry.is_dir() => unless_missing(fs::remove_dir_all(&path)).map(|_| ()),
        Ok(_) => unless_missing(fs::remove_file(&path)).map(|_| ()),
        missing => unless_missing(missing).map(|_| ()),
    })
    .await
}

/// Removes a file of a store; one that is missing counts as removed.
pub async fn remove_file(root: &Path, key: &str) -> io::Result<()> {
    let path = inside(root, Path::new(key))?;
    blocking(move || unless_missing(fs::remove_file(&path)).map(|_| ())).await
}

/// Makes the name of a file, and of the folders that it stands in, last through a loss of power.
pub async fn sync_folders_of(root: &Path, key: &str) -> io::Result<()> {
    let (root, path) = (root.to_owned(), inside(root, Path::new(key))?);
    blocking(move || {
        path.ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&root))
            .try_for_each(|folder| fs::File::open(folder)?.sync_all())
    })
    .await
}

/// Where a key stands; refused where that would not be below the root.
fn inside(root: &Path, key: &Path) -> io::Result<PathBuf> {
    let mut parts = key.components().peekable();
    if parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_))) {
        Ok(root.join(key))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a key of this store"))
    }
}

fn unless_missing<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        outcome => outcome.map(Some),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn links_are_removed_and_what_they_point_at_stays() {
        let (store, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("kept"), "x").unwrap();
        fs::create_dir_all(store.path().join("jobs/one/output")).unwrap();
        fs::write(store.path().join("jobs/one/output/a#1"), "half").unwrap();
        symlink(elsewhere.path(), store.path().join("jobs/one/link")).unwrap();
        symlink(elsewhere.path(), store.path().join("jobs/two")).unwrap();
        let keys = async |folder: &str| -> Vec<String> {
            list(store.path(), folder.into()).await.unwrap().into_iter().map(|file| file.key).collect()
        };
        assert_eq!(keys("jobs/one").await, ["jobs/one/link", "jobs/one/output/a#1"]);
        assert_eq!(keys("jobs/two").await, ["jobs/two"]);
        for folder in ["jobs/one", "jobs/two", "jobs/three"] {
            remove_folder(store.path(), folder.into()).await.unwrap();
        }
        assert_eq!(keys("jobs").await, Vec::<String>::new());
        assert_eq!(fs::read_dir(store.path().join("jobs")).unwrap().count(), 0);
        assert!(elsewhere.path().join("kept").exists());
    }

    #[tokio::test]
    async fn nothing_outside_the_store_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        fs::create_dir(&root).unwrap();
        fs::write(folder.path().join("kept"), "x").unwrap();
        for key in ["", ".", "../kept", "jobs/../../kept", folder.path().join("kept").to_str().unwrap()] {
            assert!(remove_file(&root, key).await.is_err(), "{key}");
            assert!(remove_folder(&root, key.into()).await.is_err(), "{key}");
            assert!(list(&root, key.into()).await.is_err(), "{key}");
        }
        assert!(folder.path().join("kept").exists() && root.exists());
    }
}
