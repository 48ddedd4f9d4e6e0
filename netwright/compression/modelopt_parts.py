"""modelopt's quantizers and calibrators, imported without what it says on machines that have no GPU."""

import logging
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from modelopt.torch.quantization.calib import HistogramCalibrator, MaxCalibrator
    from modelopt.torch.quantization.config import QuantizerAttributeConfig
    from modelopt.torch.quantization.nn import QuantModuleRegistry, TensorQuantizer
    from modelopt.torch.quantization.nn.modules.tensor_quantizer import register_quant_backend

__all__ = [
    "HistogramCalibrator",
    "MaxCalibrator",
    "QuantModuleRegistry",
    "QuantizerAttributeConfig",
    "TensorQuantizer",
    "register_quant_backend",
]
