"""A trained model as a SavedModel, for any batch size, which runs without hamlib."""

import keras
import tensorflow as tf

from hamlib.memory import check_attention, check_power_of_two


class Exporting:
    """The part of a model that writes a SavedModel; its `signature` says what that takes."""

    def export(self, filepath, format="tf_saved_model", verbose=None, input_signature=None, n=32, attention="hard"):
        """Write a SavedModel that answers batches of any size, and runs without hamlib.

        Args:
            filepath, format, verbose, input_signature: as in ``keras.Model.export``. Where a signature is given, it is
                the soft call that is written, and n and ``attention`` have no effect.
            n: leaves of the tree.
            attention: ``"soft"`` or ``"hard"``.
        """
        if input_signature is not None or format != "tf_saved_model":
            return super().export(filepath, format=format, verbose=verbose, input_signature=input_signature)
        check_attention(attention)
        archive = keras.export.ExportArchive()
        archive.track(self)
        signature = {
            name: tf.TensorSpec(*spec, name=name) for name, spec in self.signature(check_power_of_two(n)).items()
        }
        archive.add_endpoint("serve", lambda inputs: self(inputs, attention=attention), [signature])
        archive.write_out(filepath, verbose=verbose is None or verbose)

    def signature(self, n):
        """Return the ``(shape, dtype)`` of each input of a call, None for what may vary."""
        raise NotImplementedError
