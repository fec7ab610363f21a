"""Tiny models with random weights, saved as their libraries save them, and what each library makes of an image.

Each maker takes an empty folder and returns (our name for the backbone, reference), where reference is the library's
own way from a PIL image to features (1, d).
"""

import json

import torch

from taskcodec.transforms.torchvision import import_torchvision

SIDE = 32


def _vision(**more):
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    return {**sizes, "image_size": SIDE, "patch_size": 8, **more}


def _text():
    tokens = {"vocab_size": 64, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return {**_vision(), **tokens, "max_position_embeddings": 8}


def _livelier(model):
    """Random weights as initialised give nearly the same features for every image; these do not."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model.eval()


def _huggingface(folder, model, processor, features):
    import transformers

    _livelier(model).save_pretrained(folder)
    processor.save_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")

    def reference(image):
        return features(model, processor(images=image, return_tensors="pt")["pixel_values"])

    return f"hf:{folder}", reference


def _clip_processor():
    import transformers

    return transformers.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def clip(folder):
    import_torchvision()
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=_text(), vision_config=_vision(), projection_dim=24))
    return _huggingface(
        folder, model, _clip_processor(), lambda m, x: m.get_image_features(pixel_values=x).pooler_output
    )


def clip_in_half_precision(folder):
    name, _ = clip(folder)
    from transformers import AutoImageProcessor, CLIPModel

    CLIPModel.from_pretrained(folder).half().save_pretrained(folder)
    model = CLIPModel.from_pretrained(folder).float().eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return name, lambda image: model.get_image_features(**processor(images=image, return_tensors="pt")).pooler_output


def clip_vision(folder):
    import_torchvision()
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**_vision(), projection_dim=24))
    return _huggingface(folder, model, _clip_processor(), lambda m, x: m(pixel_values=x).image_embeds)


def siglip(folder):
    import_torchvision()
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(0)
    model = SiglipModel(SiglipConfig(text_config=_text(), vision_config=_vision()))
    processor = SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    return _huggingface(folder, model, processor, lambda m, x: m.get_image_features(pixel_values=x).pooler_output)


def dinov2(folder):
    import_torchvision()
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    model = Dinov2Model(Dinov2Config(**_vision(mlp_ratio=2)))
    crop = {"height": SIDE, "width": SIDE}
    processor = BitImageProcessor(
        size={"shortest_edge": 41}, crop_size=crop, resample=3, image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    return _huggingface(folder, model, processor, lambda m, x: m(pixel_values=x).pooler_output)


def vit_classifier(folder):
    """Its file has no pooler: the library would make one up; the feature is the class token's."""
    import_torchvision()
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(0)
    model = ViTForImageClassification(ViTConfig(**_vision(), num_labels=5))
    processor = ViTImageProcessor(size={"height": SIDE, "width": SIDE}, resample=2)
    return _huggingface(folder, model, processor, lambda m, x: m.vit(pixel_values=x).last_hidden_state[:, 0])


def convnext(folder):
    import_torchvision()
    from transformers import ConvNextConfig, ConvNextImageProcessor, ConvNextModel

    torch.manual_seed(0)
    model = ConvNextModel(ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1]))
    processor = ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.875)
    return _huggingface(folder, model, processor, lambda m, x: m(pixel_values=x).pooler_output)


def _timm_model(name, **options):
    import_torchvision()
    import timm

    torch.manual_seed(0)
    return _livelier(timm.create_model(name, num_classes=7, **options))


def _timm_reference(model):
    import timm

    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    return lambda image: model.forward_head(model.forward_features(transform(image)[None]), pre_logits=True)


def timm_file(folder):
    """A state dict with a head of seven classes, as a training script leaves it."""
    model = _timm_model("test_vit")
    folder.mkdir(exist_ok=True)
    torch.save({"state_dict": {f"module.{key}": value for key, value in model.state_dict().items()}}, folder / "w.pth")
    return f"timm:test_vit@{folder / 'w.pth'}", _timm_reference(model)


def timm_folder(folder):
    """timm's own folder, whose crop share gives a side that is rounded down, and a squashed picture."""
    model = _timm_model("test_resnet", pretrained_cfg_overlay={"crop_pct": 0.9, "crop_mode": "squash"})
    from timm.models import save_for_hf

    folder.mkdir(exist_ok=True)
    save_for_hf(model, folder)
    return f"timm:local-dir:{folder}", _timm_reference(model)


def torchvision_file(folder):
    import_torchvision()
    import torchvision

    torch.manual_seed(0)
    model = _livelier(torchvision.models.shufflenet_v2_x0_5(num_classes=7))
    folder.mkdir(exist_ok=True)
    torch.save(model.state_dict(), folder / "w.pth")
    transform = torchvision.models.ShuffleNet_V2_X0_5_Weights.DEFAULT.transforms()
    features = {}
    model.fc.register_forward_pre_hook(lambda module, inputs: features.update(x=inputs[0]))

    def reference(image):
        model(transform(image)[None])
        return features["x"]

    return f"torchvision:shufflenet_v2_x0_5@{folder / 'w.pth'}", reference


def _open_clip(folder, resize_mode):
    import_torchvision()
    import open_clip

    folder.mkdir(exist_ok=True)
    config = {
        "model_cfg": {
            "embed_dim": 24,
            "vision_cfg": {"image_size": SIDE, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
            "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
        },
        "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "resize_mode": resize_mode},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = _livelier(open_clip.model.CLIP(**config["model_cfg"]))
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    return f"open_clip:local-dir:{folder}", lambda image: model.eval().encode_image(transform(image)[None])


def open_clip_folder(folder):
    return _open_clip(folder, "shortest")


def open_clip_squashed(folder):
    return _open_clip(folder, "squash")


MAKERS = {
    "transformers": (clip, clip_in_half_precision, clip_vision, siglip, dinov2, vit_classifier, convnext),
    "timm": (timm_file, timm_folder),
    "torchvision": (torchvision_file,),
    "open_clip": (open_clip_folder, open_clip_squashed),
}
