//! The id of the prediction of a row: made of the job's id and the row's line, so that a row yields at most one prediction
//! whoever stores it, and how often.

use sea_orm::prelude::Uuid;

/// Version 7 and the variant of RFC 9562, in their places.
const VERSION_AND_VARIANT: u128 = (7 << 76) | (0b10 << 62);
/// The job's time: the first 48 bits.
const TIME: u128 = !0 << 80;
/// What is left beside the time, the version, the variant and the line.
const OWN_BITS: u32 = 43;
const OWN: u128 = (1 << OWN_BITS) - 1;
/// The low bits of the line stand above the job's own bits, the others in the 12 bits after the version.
const LOW_LINE_BITS: u32 = 19;

/// The UUID v7 of a row: the time of the job, then the line as a counter, then bits of the job's own (RFC 9562, 6.2,
/// method 1). Predictions of a job so are in the order of its file.
pub fn of_row(job: Uuid, line: i32) -> Uuid {
    let line = u128::from(line.unsigned_abs());
    let (high, low) = (line >> LOW_LINE_BITS, line & ((1 << LOW_LINE_BITS) - 1));
    // Turned over, so that no row has the id of its job.
    let own = !job.as_u128() & OWN;
    Uuid::from_u128((job.as_u128() & TIME) | VERSION_AND_VARIANT | (high << 64) | (low << OWN_BITS) | own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_in_the_order_of_lines_and_different_in_every_job() {
        let (job, other) = (Uuid::now_v7(), Uuid::now_v7());
        let lines = [1, 2, 3, 524_287, 524_288, 1_000_001, i32::MAX];
        let ids = lines.map(|line| of_row(job, line));
        assert!(ids.is_sorted() && ids.windows(2).all(|two| two[0] != two[1]), "{ids:?}");
        for (id, line) in ids.into_iter().zip(lines) {
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            assert_eq!(
                id.get_timestamp(),
                Some(uuid::Timestamp::from_unix_time(
                    job.get_timestamp().unwrap().to_unix().0,
                    job.get_timestamp().unwrap().to_unix().1,
                    0,
                    0,
                ))
            );
            assert_ne!(id, job);
            assert_ne!(id, of_row(other, line));
        }
    }
}
