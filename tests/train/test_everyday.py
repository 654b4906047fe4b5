"""The stories written by hand: each can be planned, and is scored as it should be."""

from framecast.planner.subjects import Subjects
from framecast.review.policy import Policy
from framecast.review.reviewer import Reviewer
from framecast.train.bundle import planner_subjects
from framecast.train.captions import canonical, parse
from framecast.train.everyday import STORIES, right
from framecast.train.stories import storyboard
from framecast.train.telling import Shot
from framecast.train.world.scene import Scene
from framecast.train.world.vocabulary import ACTIONS, PLACES, SUBJECTS


def test_every_story_is_of_the_world() -> None:
    subjects = Subjects(planner_subjects())
    reviewer = Reviewer(Policy.load())
    for story, wanted in STORIES:
        subjects.named(story)
        assert reviewer.review(story) is None
        for want in wanted:
            if isinstance(want, str):
                assert canonical(parse(want)) == want
                continue
            subject, action, place = want
            assert subject in SUBJECTS
            assert action in ACTIONS
            assert place in PLACES


def test_the_score_looks_at_subject_action_and_place() -> None:
    wanted = (("kitten", "play", "courtyard"),)
    told = storyboard((Shot(Scene("kitten", "blue", "courtyard", "play", "night"), 3),))
    assert right(told, wanted)
    for other in (Scene("dog", "blue", "courtyard", "play"), Scene("kitten", "blue", "snow", "play")):
        assert not right(storyboard((Shot(other),)), wanted)
    assert not right(storyboard((Shot(Scene("kitten", "blue", "courtyard", "play")),) * 2), wanted)
    assert right(told, ("a blue kitten plays in the courtyard, night",))
    assert not right(told, ("a blue kitten plays in the courtyard, day",))
    assert not right("no json", wanted)
    assert not right('{"scenes": [{"prompt": "a cat"}]}', wanted)
