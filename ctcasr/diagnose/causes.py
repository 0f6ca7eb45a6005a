"""Every cause that a verdict can name, in order of certainty; docs/causes.md tells of each."""

from __future__ import annotations

from collections.abc import Callable

from ctcasr.diagnose import (
    course_causes,
    data_causes,
    model_causes,
    step_causes,
    text_causes,
    training_causes,
)
from ctcasr.diagnose.cause import Cause
from ctcasr.diagnose.history import RunHistory

CAUSES: tuple[Callable[[RunHistory], Cause | None], ...] = (
    # what goes in
    data_causes.audio_silent,
    data_causes.features_not_finite,
    data_causes.features_constant,
    data_causes.empty_transcripts,
    data_causes.labels_shifted,
    data_causes.padding_counted,
    data_causes.outside_alphabet,
    text_causes.dominant_text,
    text_causes.contradictory,
    text_causes.swapped,
    text_causes.unpaired,
    data_causes.some_at_another_rate,
    # what the loss is told
    model_causes.input_lengths_wrong,
    model_causes.zero_infinity,
    model_causes.stride_too_large,
    model_causes.labels_out_of_range,
    model_causes.blank_mismatch,
    model_causes.softmax_as_logits,
    model_causes.scores_not_normalised,
    model_causes.scores_too_small,
    # what is trained, and how
    training_causes.frozen_parameters,
    step_causes.wrong_sign,
    step_causes.weight_decay_too_strong,
    training_causes.clipped_to_nothing,
    training_causes.rate_zero,
    training_causes.rate_too_low,
    model_causes.dead_units,
    training_causes.rate_too_high,
    # what differs between training and evaluation
    model_causes.batch_of_one,
    model_causes.feature_statistics,
    model_causes.statistics_differ,
    data_causes.wrong_sample_rate,
    data_causes.dev_unlike_train,
    data_causes.no_voice,
    training_causes.augment_too_strong,
    training_causes.dropout_too_strong,
    # what only the course of the run tells
    course_causes.shuffled_transcripts,
    course_causes.model_too_large,
    course_causes.over_peaky,
    course_causes.blank_preferred,
)
