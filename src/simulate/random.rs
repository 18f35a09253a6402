//! Deterministic random numbers, derived from the seed.

use fastrand::Rng;

/// What a draw is for. Each has its own stream of numbers, so that a change in
/// one part of an advisory does not reshuffle all others.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub enum RandomStream {
    Entry = 1,
    Base,
    Products,
    Cves,
    Text,
    Scores,
    Revision,
    Ticket,
    Step,
    Change,
    Rejection,
}

/// Numbers that follow from the seed, the thing's number and the purpose alone.
pub fn rng(seed: u64, number: u64, stream: RandomStream) -> Rng {
    Rng::with_seed(mix(
        mix(mix(seed) ^ number).wrapping_add(stream as u64 * 0x9E37_79B9)
    ))
}

/// Spreads neighbouring numbers over all 64 bits (the finaliser of splitmix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number from `least` to `most`: mostly near `least`, seldom far from it.
/// The greater `skew`, the fewer great ones.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share below 1 of a small positive number"
)]
pub fn skewed(rng: &mut Rng, least: u32, most: u32, skew: i32) -> u32 {
    let share = rng.f64().powi(skew);
    least + (share * f64::from(most - least + 1)) as u32
}

/// True in `percent` of all cases.
pub fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(0..100) < percent
}

/// One of `choices`, which must not be empty.
pub fn pick<'a, T: ?Sized>(rng: &mut Rng, choices: &[&'a T]) -> &'a T {
    choices[rng.usize(0..choices.len())]
}
