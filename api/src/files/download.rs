//! Files of jobs for those who see the job.

use artifacts::Key;
use entity::{
    artifact,
    stored::{self, ArtifactKind},
};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, prelude::Uuid};

use crate::auth::Viewer;

/// A file, if the caller sees its job.
pub async fn find(db: &impl ConnectionTrait, viewer: &Viewer, id: Uuid) -> Result<Option<artifact::Model>, DbErr> {
    artifact::Entity::find_by_id(id).filter(viewer.sees_job_of(artifact::Column::JobId)).one(db).await
}

/// Where a file stands in the store.
pub fn key(file: &artifact::Model) -> Key {
    let (job, artifact) = (file.job_id, file.id);
    match stored::ArtifactKind::from_stored(&file.kind) {
        Some(ArtifactKind::Input) => Key::Input { job, artifact },
        _ => Key::Output { job, artifact },
    }
}

/// Where a file can be fetched, on this server.
pub fn path(file: &artifact::Model) -> String {
    format!("/artifacts/{}", file.id)
}
