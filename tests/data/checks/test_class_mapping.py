from netwright.data.checks.class_mapping import count_classes, is_known, map_class, mapped_classes, sum_counts

MAPPING = {"car": "vehicle", "van": "vehicle", "person": "person", "sky": None}


def test_without_a_mapping_every_declared_class_stays_as_it_is():
    assert is_known("cat", {}, ())
    assert is_known("cat", {}, ("dog", "cat"))
    assert not is_known("cow", {}, ("dog", "cat"))
    assert map_class("cat", {}) == "cat"


def test_with_a_mapping_what_it_does_not_name_is_unknown():
    assert is_known("car", MAPPING, ())
    assert is_known("sky", MAPPING, ())
    assert not is_known("dog", MAPPING, ())
    assert not is_known("Car", MAPPING, ())
    assert not is_known("car", MAPPING, ("van",))


def test_classes_are_renamed_merged_and_dropped():
    assert map_class("van", MAPPING) == "vehicle"
    assert map_class("sky", MAPPING) is None
    assert mapped_classes(("sky", "person", "van", "dog", "car"), MAPPING) == ("person", "vehicle")
    assert mapped_classes(("b", "a"), {}) == ("b", "a")


def test_a_swap_of_two_names_is_no_chain():
    assert mapped_classes(("a", "b"), {"a": "b", "b": "a"}) == ("b", "a")


def test_counts_say_what_became_of_each_source_class():
    counts = count_classes(["van", "car", "car", "sky"], MAPPING)
    assert counts == (("car", "vehicle", 2), ("sky", None, 1), ("van", "vehicle", 1))
    both = sum_counts([*counts, ("car", "vehicle", 5)], MAPPING)
    assert both == (("car", "vehicle", 7), ("person", "person", 0), ("sky", None, 1), ("van", "vehicle", 1))


def test_without_a_mapping_counts_are_of_the_classes_met():
    assert sum_counts(count_classes(["b", "a", "b"], {}), {}) == (("a", "a", 1), ("b", "b", 2))
