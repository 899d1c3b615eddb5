//! Surfaces of a tooth (catalogue C51): which exist on it, in which order they are written, and what other words mean.
//! `kernel.surfaces_of` in the database holds the same lists (a test compares all teeth).

use super::tooth::Tooth;

/// In writing order. `F5` and `B5` are the gingival third, `R` the root: charted, never sent on a claim.
const ANTERIOR: [&str; 7] = ["M", "I", "D", "F", "L", "F5", "R"];
const POSTERIOR: [&str; 7] = ["M", "O", "D", "B", "L", "B5", "R"];

/// Front teeth have an edge and face the lips, back teeth have a chewing surface and face the cheek.
pub fn surfaces_of(tooth: Tooth) -> &'static [&'static str] {
    if tooth.is_anterior() { &ANTERIOR } else { &POSTERIOR }
}

/// `["D", "O", "M"]` as it is spoken and printed: `MOD`. Surfaces the tooth has not are left out.
pub fn spoken(tooth: Tooth, surfaces: &[&str]) -> String {
    surfaces_of(tooth).iter().filter(|surface| surfaces.contains(surface)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn surfaces_are_spoken_in_one_order() {
        let (molar, incisor) = (Tooth::from_fdi("16").unwrap(), Tooth::from_fdi("51").unwrap());
        assert_eq!(spoken(molar, &["D", "O", "M"]), "MOD");
        assert_eq!(spoken(molar, &["L", "B", "I"]), "BL");
        assert_eq!(spoken(incisor, &["L", "F", "I", "M"]), "MIFL");
        assert_eq!(spoken(incisor, &[]), "");
    }

    proptest! {
        #[test]
        fn the_order_of_asking_does_not_matter(picked in prop::sample::subsequence(POSTERIOR.to_vec(), 0..=7).prop_shuffle(), place in 0usize..52) {
            let tooth = Tooth::all().nth(place).unwrap();
            let mut sorted = picked.clone();
            sorted.sort_unstable();
            prop_assert_eq!(spoken(tooth, &picked), spoken(tooth, &sorted));
        }
    }
}
