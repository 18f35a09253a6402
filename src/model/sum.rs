//! Order-independent checksum over record fingerprints.

use super::Fingerprint;

/// Sum of fingerprints: the same for the same records in any order, and different
/// if a record is missing, differs or is repeated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FingerprintSum(u128);

impl FingerprintSum {
    /// Adds one record.
    pub fn add(&mut self, fingerprint: &Fingerprint) {
        self.0 = self.0.wrapping_add(u128::from_be_bytes(*fingerprint));
    }

    /// Adds the records of another sum.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// The stored form.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl<'a> FromIterator<&'a Fingerprint> for FingerprintSum {
    fn from_iter<I: IntoIterator<Item = &'a Fingerprint>>(fingerprints: I) -> Self {
        let mut sum = Self::default();
        for fingerprint in fingerprints {
            sum.add(fingerprint);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::FingerprintSum;
    use crate::model::fingerprint;

    #[test]
    fn order_is_nothing_and_every_record_counts() {
        let [a, b] = [fingerprint(b"a"), fingerprint(b"b")];
        let sum = |records: &[_]| records.iter().collect::<FingerprintSum>();
        assert_eq!(sum(&[a, b]), sum(&[b, a]));
        assert_ne!(sum(&[a]), sum(&[a, b]));
        assert_ne!(sum(&[a]), sum(&[a, a, a]));
        let mut merged = sum(&[a]);
        merged.merge(sum(&[b]));
        assert_eq!(merged, sum(&[a, b]));
    }
}
