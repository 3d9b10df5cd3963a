<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Tests;

use Lockstep\PimcoreBundle\Core\Batch;
use Lockstep\PimcoreBundle\Core\Hint;
use Lockstep\PimcoreBundle\Core\Signer;
use Lockstep\PimcoreBundle\Core\Target;
use Lockstep\PimcoreBundle\EventListener\ElementListener;

// What is told of an event, and to whom.

$hint = static fn (array $with = []): array => $with + Hint::of('pimcore.dataobject.postUpdate', new FakeObject(10), []);
$target = static fn (mixed ...$with): Target => new Target('t', 'https://l.example.com/hooks/p', Kit::SECRET, ...$with);
$lines = static fn (array ...$hints): array => array_map(Batch::line(...), $hints);

return [
    'an object' => static function (): void {
        same([
            'event' => 'pimcore.dataobject.postUpdate', 'kind' => 'object', 'id' => 10, 'type' => 'object', 'class' => 'Product',
            'path' => '/Products/p-00003', 'oldPath' => null, 'published' => true, 'modificationDate' => 1795424261, 'versionCount' => 2,
        ], Hint::of('pimcore.dataobject.postUpdate', new FakeObject(10, '/Products/p-00003'), []));
    },
    'an asset and a folder have no class' => static function (): void {
        $asset = Hint::of('pimcore.asset.postUpdate', new FakePlain(3, 'image', '/a.jpg'), ['isUpdate' => true]);
        same(['asset', null, null], [$asset['kind'], $asset['class'], $asset['published']]);
        $folder = Hint::of('pimcore.dataobject.postUpdate', new FakePlain(4, 'folder', '/New'), ['oldPath' => '/Old']);
        same(['object', 'folder', null, '/Old', '/New'], [$folder['kind'], $folder['type'], $folder['class'], $folder['oldPath'], $folder['path']]);
    },
    'drafts and autosaves are none' => static function (): void {
        foreach ([['saveVersionOnly' => true, 'isAutoSave' => false], ['saveVersionOnly' => true, 'isAutoSave' => true], ['isAutoSave' => true]] as $args) {
            same(null, Hint::of('pimcore.dataobject.postUpdate', new FakeObject(10), $args));
        }
        holds(null !== Hint::of('pimcore.dataobject.postUpdate', new FakeObject(10), ['saveVersionOnly' => false]), 'a save is none');
    },
    'the listener hears six events, and those of documents' => static function (): void {
        $heard = array_keys(ElementListener::getSubscribedEvents());
        foreach (['dataobject', 'asset', 'document'] as $kind) {
            foreach (['postAdd', 'postUpdate', 'postDelete'] as $what) {
                holds(\in_array("pimcore.$kind.$what", $heard, true), "$kind.$what is not heard");
            }
        }
        same([], preg_grep('/pimcore.*(Failure|pre)/', $heard));
    },
    'who wants what' => static function () use ($hint, $target): void {
        holds($target()->wants($hint()), 'no classes: all');
        holds($target(['Product'])->wants($hint()), 'its class');
        holds(!$target(['Car'])->wants($hint()), 'another class');
        holds($target(['Car'])->wants($hint(['oldPath' => '/Old/p'])), 'what moved goes to all: of what is below nobody tells');
        holds($target()->wants($hint(['kind' => 'asset'])), 'assets');
        holds(!$target(assets: false)->wants($hint(['kind' => 'asset'])), 'no assets');
        holds(!$target()->wants($hint(['kind' => 'document'])), 'documents are not asked for');
        holds($target(documents: true)->wants($hint(['kind' => 'document'])), 'documents');
        holds(!$target(['Product'], body: 'keys')->wants($hint(['kind' => 'asset'])), 'keys are those of objects');
    },
    'one event per element, the newest, and that it moved' => static function () use ($hint, $lines): void {
        $batch = Batch::of($lines(
            $hint(['id' => 1, 'oldPath' => '/a', 'path' => '/b']),
            $hint(['id' => 2]),
            $hint(['id' => 1, 'kind' => 'asset']),
            $hint(['id' => 1, 'oldPath' => '/b', 'path' => '/c']),
            $hint(['id' => 1, 'path' => '/c', 'versionCount' => 9]),
        ), 'events', 1795424261, false);
        $body = json_decode($batch->body, true);
        same(['pimcore', 1795424261, 3, false], [$body['source'], $body['sent'], $batch->events, isset($body['overflow'])]);
        same([2, 1, 1], array_column($body['events'], 'id'));
        same(['object', 'asset', 'object'], array_column($body['events'], 'kind'));
        same(['/a', '/c', 9], [$body['events'][2]['oldPath'], $body['events'][2]['path'], $body['events'][2]['versionCount']]);
    },
    'keys only' => static function () use ($hint, $lines): void {
        $body = json_decode(Batch::of($lines($hint(), $hint(['id' => 11]), $hint()), 'keys', 1, false)->body, true);
        same(['11', '10'], $body['keys']);
    },
    'a torn line asks for a look at everything' => static function () use ($hint, $lines): void {
        $body = json_decode(Batch::of(["{\"kind\":\"obj\n", ...$lines($hint())], 'events', 1, false)->body, true);
        same([true, 1], [$body['overflow'], \count($body['events'])]);
    },
    'equal batches are not the same notice' => static function () use ($hint, $lines): void {
        holds(Batch::of($lines($hint()), 'keys', 1, false)->body !== Batch::of($lines($hint()), 'keys', 1, false)->body, 'they are');
    },
    'the signature' => static function (): void {
        // printf '1795424261.{}' | openssl dgst -sha256 -hmac key
        same([
            'X-Lockstep-Timestamp' => '1795424261',
            'X-Lockstep-Signature' => 'sha256=13557e0eef725ff2202f5f7fc586681a47e73069186a47db35e945d8e04f0a38',
        ], Signer::headers('key', 1795424261, '{}'));
    },
    'a target shows no secret' => static function () use ($target): void {
        holds(!str_contains(print_r($target(), true), Kit::SECRET), 'print_r');
    },
];
