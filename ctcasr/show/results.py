"""What a training of a recogniser leaves to look at: pictures of the run and of some utterances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ctcasr.batch import Utterance
from ctcasr.data import AudioError
from ctcasr.recognise.evaluation import examine
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.show.curves import draw_run
from ctcasr.show.picture import draw_utterance


def draw_results(run: Path, recogniser: Recogniser, utterances: Sequence[Utterance]) -> str:
    """Draw a run, and what its recogniser makes of utterances, into the folder `plots` of the run.

    Returns the paths, or why something could not be drawn: a recipe goes on to the score.
    """
    try:
        paths = draw_run(run)
        for utterance in utterances:
            path = run / "plots" / f"{utterance.file_name}.png"
            shown = examine(recogniser, utterance)
            paths.append(draw_utterance(path, **shown))
    except (ImportError, AudioError) as error:
        return str(error)
    return " ".join(str(path) for path in paths)
