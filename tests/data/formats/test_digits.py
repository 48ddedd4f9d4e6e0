import pickle

from netwright.data.formats.digits import load


def test_scenes_come_with_their_labels_and_a_state_of_their_recipe():
    raw = load({"train": 1, "val": 1}, size=320, seed=3)
    train, val = raw.pictures
    assert (train.name, train.split, val.split) == ("train-00000", "train", "val")
    labels = pickle.loads(pickle.dumps(train)).labels()
    assert labels.declared_size == (320, 320)
    assert len(labels.boxes) == train.source.count(",") + 1
    assert {box.label for box in labels.boxes} <= set(raw.classes)
    assert next(iter(load({"train": 1}, size=320, seed=4).pictures)).state != train.state
    again = next(iter(load({"train": 1}, size=320, seed=3).pictures))
    assert (again.content, again.state, again.labels()) == (train.content, train.state, labels)
